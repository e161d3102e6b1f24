import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { FilterError, filterThroughCommand } from '../../host/spawn.ts';
import { hasErrno } from '../../util/errors.ts';
import { invalidImage, throwIfCancelled } from '../image-errors.ts';
import type { ImageLimits } from '../limits.ts';

const CHUNK_BYTES = 256 * 1024;

type Compression = 'none' | 'gzip' | 'zstd';

/** How the formats begin: RFC 1952 §2.3.1, RFC 8878 §3.1.1. */
const MAGICS: readonly { compression: Compression; bytes: readonly number[] }[] = [
  { compression: 'gzip', bytes: [0x1f, 0x8b] },
  { compression: 'zstd', bytes: [0x28, 0xb5, 0x2f, 0xfd] },
];

/** What one image may still expand to; shared by all its layers. */
export class ExpansionBudget {
  readonly #limits: ImageLimits;
  #expandedBytes = 0;
  #inputBytes = 0;

  constructor(limits: ImageLimits) {
    this.#limits = limits;
  }

  countInput(bytes: number): void {
    this.#inputBytes += bytes;
  }

  countOutput(bytes: number, label: string): void {
    this.#expandedBytes += bytes;
    const { maxExpandedBytes, maxExpansionRatio, ratioFreeBytes } = this.#limits;
    const byRatio = Math.max(ratioFreeBytes, this.#inputBytes * maxExpansionRatio);
    if (this.#expandedBytes <= Math.min(maxExpandedBytes, byRatio)) return;
    const reason =
      this.#expandedBytes > maxExpandedBytes
        ? `to more than ${maxExpandedBytes} bytes`
        : `to more than ${maxExpansionRatio} times its size`;
    throw invalidImage(`${label} expands ${reason}`, {
      hint: 'it may be made to fill your disk; load it only if you trust its maker, and from an uncompressed archive',
    });
  }
}

export interface DecompressOptions {
  input: AsyncIterable<Buffer>;
  /** Names the input in errors. */
  label: string;
  budget: ExpansionBudget;
  signal?: AbortSignal | undefined;
}

/**
 * Decompresses by what the bytes are rather than by what a media type calls them, as builders get the latter wrong
 * and engines go by the former. The input is read to its end even where the compressed data ends earlier.
 */
export async function* decompress(options: DecompressOptions): AsyncGenerator<Buffer> {
  const { label, budget, signal } = options;
  const input = countInput(options.input, budget);
  const { head, compression } = await peek(input);
  const output = expand(rejoin(head, input), compression, options);
  for await (const chunk of output) {
    throwIfCancelled(signal);
    budget.countOutput(chunk.length, label);
    yield chunk;
  }
}

/** Finds out how bytes are compressed; `head` are those that had to be read for it. */
export async function peek(
  input: AsyncGenerator<Buffer>,
): Promise<{ head: Buffer; compression: Compression }> {
  let head: Buffer = Buffer.alloc(0);
  while (head.length < 4) {
    const { value, done } = await input.next();
    if (done === true) break;
    head = Buffer.concat([head, value]);
  }
  const match = MAGICS.find(({ bytes }) => bytes.every((byte, index) => head[index] === byte));
  return { head, compression: match?.compression ?? 'none' };
}

async function* rejoin(head: Buffer, rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  try {
    if (head.length > 0) yield head;
    yield* rest;
  } finally {
    await rest.return(undefined);
  }
}

async function* countInput(
  input: AsyncIterable<Buffer>,
  budget: ExpansionBudget,
): AsyncGenerator<Buffer> {
  for await (const chunk of input) {
    budget.countInput(chunk.length);
    yield chunk;
  }
}

function expand(
  input: AsyncGenerator<Buffer>,
  compression: Compression,
  options: DecompressOptions,
): AsyncIterable<Buffer> {
  if (compression === 'gzip') return gunzip(input, options.label);
  if (compression === 'zstd') return unzstd(input, options);
  return input;
}

async function* gunzip(input: AsyncGenerator<Buffer>, label: string): AsyncGenerator<Buffer> {
  const source = Readable.from(input, { objectMode: false });
  const output = createGunzip({ chunkSize: CHUNK_BYTES });
  source.once('error', (error) => output.destroy(error));
  source.pipe(output);
  try {
    for await (const chunk of output) yield chunk as Buffer;
  } catch (error) {
    if (!hasErrno(error, 'Z_DATA_ERROR', 'Z_BUF_ERROR', 'Z_NEED_DICT')) throw error;
    throw invalidImage(`${label} has damaged or truncated gzip data`, { cause: error });
  } finally {
    source.destroy();
    output.destroy();
  }
}

/** Node learned zstd only after the versions we run on; the tool is a package of every distribution. */
async function* unzstd(
  input: AsyncGenerator<Buffer>,
  { label, signal }: DecompressOptions,
): AsyncGenerator<Buffer> {
  try {
    yield* filterThroughCommand({
      command: 'zstd',
      argv: ['-dcq'],
      input,
      signal,
      missingHint: 'install it (apt install zstd), or save the image with gzip layers',
    });
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    throw invalidImage(`${label} has damaged or truncated zstd data: ${error.complaint}`, {
      cause: error,
    });
  }
}
