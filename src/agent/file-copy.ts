import { STATUS_CODE } from '../util/ttrpc/status-code.ts';
import type { AgentClient, RequestOptions } from './agent-client.ts';
import { agentBreach, agentFailed } from './failures.ts';
import type { ReadFileResponse } from './generated/agent_pb.ts';

/** Bytes of a file in one call (docs/protocol.md). */
const PIECE_BYTES = 64 * 1024;
/** Calls on their way at a time: enough to hide the way there and back, little enough to let others in between. */
const CALLS_IN_FLIGHT = 4;

export interface FilePlace {
  containerId: string;
  /** Inside the container's root. */
  path: string;
}

export interface NewFile extends FilePlace {
  mode: number;
  uid: number;
  gid: number;
  content: Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

export interface WantedFile extends FilePlace {
  /** Takes piece after piece; throws when it has enough. */
  write(piece: Uint8Array): void | Promise<void>;
}

export interface CopiedFile {
  mode: number;
  sizeBytes: number;
}

/** Writes a whole file, anew; returns its length. After a failure a part of the file may be there. */
export async function copyFileIn(
  client: AgentClient,
  { content, ...file }: NewFile,
  options: RequestOptions = {},
): Promise<number> {
  const inFlight: Promise<void>[] = [];
  let offset = 0;
  const send = async (data: Uint8Array): Promise<void> => {
    inFlight.push(observed(client.writeFile({ ...file, offset: BigInt(offset), data }, options)));
    offset += data.length;
    if (inFlight.length >= CALLS_IN_FLIGHT) await inFlight.shift();
  };
  for await (const chunk of content) {
    for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
      await send(chunk.subarray(at, at + PIECE_BYTES));
    }
  }
  // An empty file, too, is made by a write.
  if (offset === 0) await send(new Uint8Array(0));
  await Promise.all(inFlight);
  return offset;
}

/**
 * Reads a whole file and hands it to `write`, piece after piece; the next piece waits for its promise.
 * A file may be without end (a device): `write` throws when it has enough.
 */
export async function copyFileOut(
  client: AgentClient,
  { containerId, path, write }: WantedFile,
  options: RequestOptions = {},
): Promise<CopiedFile> {
  const inFlight: Promise<ReadFileResponse>[] = [];
  let asked = 0;
  const ask = (): void => {
    const request = { containerId, path, offset: BigInt(asked), length: PIECE_BYTES };
    inFlight.push(observed(client.readFile(request, options)));
    asked += PIECE_BYTES;
  };
  ask();
  for (let sizeBytes = 0; ; ) {
    const piece = await inFlight.shift();
    if (piece === undefined) throw new Error('no read is in flight');
    checkPiece(piece, path);
    // The first answer tells how much there is to ask for ahead of time.
    while (!piece.eof && inFlight.length < CALLS_IN_FLIGHT && worthAsking(asked, piece)) ask();
    if (!piece.eof && inFlight.length === 0) ask();
    if (piece.data.length > 0) await write(piece.data);
    sizeBytes += piece.data.length;
    if (piece.eof) return { mode: piece.mode, sizeBytes };
  }
}

function worthAsking(offset: number, { sizeBytes }: ReadFileResponse): boolean {
  return BigInt(offset) < sizeBytes;
}

function checkPiece({ data, eof }: ReadFileResponse, path: string): void {
  if (data.length > PIECE_BYTES) {
    throw agentBreach(`the guest answered a read of ${PIECE_BYTES} bytes with ${data.length}`);
  }
  if (!eof && data.length < PIECE_BYTES) {
    const what = `read ${path}`;
    throw agentFailed(what, STATUS_CODE.internal, 'it changed while it was read');
  }
}

/** A call whose failure somebody will look at, though perhaps not before another call's. */
function observed<Result>(call: Promise<Result>): Promise<Result> {
  call.catch(() => {});
  return call;
}
