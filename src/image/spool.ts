import { constants, readSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { ContentReference } from './tree/inode.ts';

/** Small files are gathered to writes of this size. */
const BUFFER_BYTES = 1024 * 1024;

/** One temporary file with the contents of all files of an image, one after the other. */
export class Spool {
  readonly #handle: FileHandle;
  #buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  #buffered = 0;
  #written = 0;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  static async create(filePath: string): Promise<Spool> {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;
    return new Spool(await open(filePath, flags, 0o600));
  }

  get sizeBytes(): number {
    return this.#written + this.#buffered;
  }

  /** Takes a file's content in and says where it lies. */
  async append(content: AsyncIterable<Uint8Array>): Promise<ContentReference> {
    const offset = this.sizeBytes;
    for await (const chunk of content) await this.#write(chunk);
    return { offset, sizeBytes: this.sizeBytes - offset };
  }

  /** To be called after the last `append` and before the first `read`. */
  async flush(): Promise<void> {
    const { bytesWritten } = await this.#handle.write(this.#buffer, 0, this.#buffered);
    // A disk that is nearly full takes a part; the next write then says why.
    if (bytesWritten < this.#buffered) this.#buffer.copyWithin(0, bytesWritten, this.#buffered);
    this.#written += bytesWritten;
    this.#buffered -= bytesWritten;
    if (this.#buffered > 0) await this.flush();
  }

  /** Reads synchronously: what was just written is in the page cache, and a thread's round trip costs more than the copy. */
  read(offset: number, length: number): Buffer {
    const data = Buffer.allocUnsafe(length);
    for (let done = 0; done < length; ) {
      const count = readSync(this.#handle.fd, data, done, length - done, offset + done);
      if (count === 0) throw new Error(`the spool ends before byte ${offset + length}`);
      done += count;
    }
    return data;
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  async #write(chunk: Uint8Array): Promise<void> {
    for (let taken = 0; taken < chunk.length; ) {
      if (this.#buffered === BUFFER_BYTES) await this.flush();
      const part = chunk.subarray(taken, taken + BUFFER_BYTES - this.#buffered);
      this.#buffer.set(part, this.#buffered);
      this.#buffered += part.length;
      taken += part.length;
    }
  }
}
