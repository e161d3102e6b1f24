import { type BigIntStats, statSync } from 'node:fs';

interface Kept<T> {
  /** What the file was when its content was read. */
  readonly stamp: string;
  readonly content: T;
}

/**
 * Remembers what was made of files, for as long as they are the same. Files that are replaced by renaming, as all of ours
 * are, get another inode or time of change; a look at those costs a hundredth of reading and parsing.
 */
export class FileMemo<T> {
  readonly #kept = new Map<string, Kept<T>>();
  readonly #most: number;

  /** `most`: how many files are remembered; the one that was longest unused makes room. */
  constructor(most: number) {
    this.#most = most;
  }

  /** What `load` makes of the file, now or earlier. Failures of `load` are not remembered. */
  async get(filePath: string, load: () => Promise<T>): Promise<T> {
    const stamp = readStamp(filePath);
    const known = this.#kept.get(filePath);
    this.#kept.delete(filePath);
    if (known !== undefined && known.stamp === stamp) {
      this.#kept.set(filePath, known);
      return known.content;
    }
    // A file that changes from here on has another stamp than this, and is read again next time.
    const content = await load();
    if (stamp !== undefined) this.#kept.set(filePath, { stamp, content });
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= this.#most) break;
      this.#kept.delete(oldest);
    }
    return content;
  }
}

/** Undefined when there is no such file. */
function readStamp(filePath: string): string | undefined {
  const status: BigIntStats | undefined = statSync(filePath, {
    bigint: true,
    throwIfNoEntry: false,
  });
  if (status === undefined) return undefined;
  const { dev, ino, size, mtimeNs, ctimeNs } = status;
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
}
