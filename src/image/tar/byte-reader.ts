import { invalidImage } from '../image-errors.ts';

/** A stream of bytes that may know how to pass over some without reading them (a file can, a gunzip cannot). */
export interface ByteSource extends AsyncIterable<Uint8Array> {
  /** Leaves out the next `count` bytes of those not yet delivered. */
  skip?(count: number): void;
}

/** Reads exact amounts from a stream of chunks of any size, holding no more than was asked for. */
export class ByteReader {
  readonly #source: ByteSource;
  readonly #iterator: AsyncIterator<Uint8Array>;
  readonly #label: string;
  #chunk: Buffer = Buffer.alloc(0);
  #position = 0;

  constructor(source: ByteSource, label: string) {
    this.#source = source;
    this.#iterator = source[Symbol.asyncIterator]();
    this.#label = label;
  }

  /** Bytes taken so far. */
  get position(): number {
    return this.#position;
  }

  /** Exactly `count` bytes; undefined when the stream ends right here; IMAGE_INVALID when it ends midway. */
  async read(count: number): Promise<Buffer | undefined> {
    if (this.#chunk.length === 0 && count > 0 && !(await this.#fill())) return undefined;
    if (this.#chunk.length >= count) return this.#take(count);
    const parts: Buffer[] = [];
    for await (const part of this.slices(count)) parts.push(part);
    return Buffer.concat(parts);
  }

  /** The next `count` bytes in pieces, as they come. */
  async *slices(count: number): AsyncGenerator<Buffer> {
    let left = count;
    while (left > 0) {
      if (this.#chunk.length === 0 && !(await this.#fill())) throw this.#truncated();
      const part = this.#take(Math.min(left, this.#chunk.length));
      left -= part.length;
      yield part;
    }
  }

  async skip(count: number): Promise<void> {
    const buffered = Math.min(count, this.#chunk.length);
    this.#take(buffered);
    const left = count - buffered;
    if (left === 0) return;
    if (this.#source.skip !== undefined) {
      this.#source.skip(left);
      this.#position += left;
      return;
    }
    for await (const _ of this.slices(left)); // Dropped.
  }

  /** Reads to the end, so that whoever computes a digest below us sees all of it. */
  async drain(): Promise<void> {
    do this.#take(this.#chunk.length);
    while (await this.#fill());
  }

  /** Lets go of the source: it closes its files and ends its processes. */
  async close(): Promise<void> {
    await this.#iterator.return?.();
  }

  #take(count: number): Buffer {
    const part = this.#chunk.subarray(0, count);
    this.#chunk = this.#chunk.subarray(count);
    this.#position += count;
    return part;
  }

  async #fill(): Promise<boolean> {
    while (this.#chunk.length === 0) {
      const { value, done } = await this.#iterator.next();
      if (done === true) return false;
      this.#chunk = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    }
    return true;
  }

  #truncated(): Error {
    return invalidImage(`${this.#label} ends in the middle of an entry`);
  }
}
