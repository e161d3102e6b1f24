import type { OutputSink, OutputStream } from '../../sandbox/output-stream.ts';
import type { ProcessIo } from '../../sandbox/process-io.ts';
import type { ExitReport } from '../../sandbox/sandbox-state.ts';
import type { StdinWriter } from '../../sandbox/stdin-relay.ts';
import { FrameError } from '../../util/ttrpc/frame.ts';
import { type AttachRequest, STREAM_KIND, STREAM_WINDOW_BYTES } from '../api.ts';
import type { ServerStream } from '../connection/server-connection.ts';

export type AttachEnd =
  | { readonly kind: 'exited'; readonly report: ExitReport }
  /** The client has let go of the process with its detach keys. */
  | { readonly kind: 'detached' }
  | { readonly kind: 'lost' };

export interface AttachedProcess {
  readonly io: ProcessIo;
  /** For an owner that was lost; and the end is told when the owner has all of it. Default: false. */
  readonly keepsOutput?: boolean;
}

/** Joins a client's stream and a process until one of them ends. */
export async function attachClient(
  { io, keepsOutput = false }: AttachedProcess,
  request: AttachRequest,
  stream: ServerStream,
): Promise<AttachEnd> {
  const stdout = addClientSink(
    stream,
    io.stdout,
    'stdout',
    startOffset(request, io.stdout, 'stdout'),
  );
  const stderr = addClientSink(
    stream,
    io.stderr,
    'stderr',
    startOffset(request, io.stderr, 'stderr'),
  );
  // A client that loses us before it has seen a byte of a stream must still know where it stood.
  if (request.from === 'now') {
    stream.send(STREAM_KIND.stdout, stdout.position);
    stream.send(STREAM_KIND.stderr, stderr.position);
  }
  if (request.owner) io.releaseHold();
  const writer = request.stdin ? addClientWriter(stream, io, request) : undefined;
  try {
    const detached = new Promise<AttachEnd>((resolve) => {
      stream.onFrame((kind, offset, bytes) => {
        if (kind === STREAM_KIND.stdoutAcknowledged) stdout.acknowledge(offset);
        else if (kind === STREAM_KIND.stderrAcknowledged) stderr.acknowledge(offset);
        else if (kind === STREAM_KIND.detach) resolve({ kind: 'detached' });
        else if (kind === STREAM_KIND.stdin) writer?.write(offset, bytes);
        else if (kind === STREAM_KIND.stdinEof && writer !== undefined) io.stdin.end();
      });
    });
    const mustKeep = keepsOutput && request.owner;
    const exited = io.exited.then(async (report): Promise<AttachEnd> => {
      if (mustKeep) await Promise.all([stdout.complete, stderr.complete]);
      return { kind: 'exited', report };
    });
    const lost = stream.closed.then((): AttachEnd => ({ kind: 'lost' }));
    const end = await Promise.race([exited, detached, lost]);
    if (mustKeep && end.kind === 'exited') io.markTaken();
    if (mustKeep && end.kind === 'lost') {
      io.holdForOwner({ stdout: stdout.position, stderr: stderr.position });
    }
    return end;
  } finally {
    io.stdout.removeSink(stdout);
    io.stderr.removeSink(stderr);
    if (writer !== undefined) io.stdin.removeWriter(writer);
  }
}

function startOffset(
  request: AttachRequest,
  stream: OutputStream,
  name: 'stdout' | 'stderr',
): number {
  if (request.from === 'start') return stream.oldest;
  return request.from === 'now' ? stream.received : request.from[name];
}

interface ClientSink extends OutputSink {
  /** Fulfilled when the stream has ended and the client has all of it. */
  readonly complete: Promise<void>;
  acknowledge(offset: number): void;
}

/** Output goes to the client as it comes; how far it has written that is what it acknowledges. */
function addClientSink(
  stream: ServerStream,
  output: OutputStream,
  name: 'stdout' | 'stderr',
  from: number,
): ClientSink {
  let position = from;
  let finish = (): void => {};
  const complete = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const finishIfComplete = (): void => {
    if (output.ended && position >= output.received) finish();
  };
  const sink: ClientSink = {
    get position() {
      return position;
    },
    complete,
    write: (offset, bytes) => stream.send(STREAM_KIND[name], offset, bytes),
    end: finishIfComplete,
    acknowledge: (offset) => {
      position = Math.max(position, Math.min(offset, output.received));
      output.advance();
      finishIfComplete();
    },
  };
  output.addSink(sink, from);
  return sink;
}

interface ClientWriter extends StdinWriter {
  /** Throws FrameError for bytes with a gap before them, and for more than the window. */
  write(offset: number, bytes: Uint8Array): void;
}

/** The client counts its bytes from 0; one that comes back after a lost sandboxer goes on where the agent stands. */
function addClientWriter(
  stream: ServerStream,
  io: ProcessIo,
  request: AttachRequest,
): ClientWriter {
  const accepted = getAcceptedBytes(io, request);
  let [received, acknowledged] = [accepted, accepted];
  const writer: ClientWriter = {
    onAcknowledged: (offset) => {
      acknowledged = Math.max(acknowledged, offset);
      stream.send(STREAM_KIND.stdinAcknowledged, offset);
    },
    write: (offset, bytes) => {
      const end = offset + bytes.length;
      if (offset > received) throw new FrameError(`stdin is missing before offset ${offset}`);
      if (end > acknowledged + STREAM_WINDOW_BYTES) {
        throw new FrameError(`stdin up to ${end} is beyond the window after ${acknowledged}`);
      }
      received = Math.max(received, end);
      io.stdin.write(writer, offset, bytes);
    },
  };
  io.stdin.addWriter(writer, accepted);
  return writer;
}

/**
 * How many of its stdin bytes have arrived. Only the owner's count is the agent's (others may have come later), and it
 * may know less than the agent: its sandboxer may have died before it told, or before it told anything at all.
 */
function getAcceptedBytes(io: ProcessIo, { from, owner }: AttachRequest): number {
  const known = typeof from === 'object' ? from.stdin : 0;
  return owner ? Math.max(known, io.stdin.acknowledged) : known;
}
