import { statSync } from 'node:fs';
import { chmod, mkdir, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { ensureDirectory } from '../host/directories.ts';
import { readJsonFile, syncDirectory, writeFileAtomic } from '../host/files.ts';
import { hasErrno } from '../util/errors.ts';
import { FileMemo } from './file-memo.ts';
import {
  formatIndex,
  type ImageIndex,
  type IndexEntry,
  MAX_INDEX_BYTES,
  parseIndexFile,
} from './image-index.ts';
import {
  damagedImage,
  formatRecord,
  type ImageRecord,
  MAX_RECORD_BYTES,
  parseRecord,
  type StoredRecord,
} from './image-record.ts';

/** Folders that the virtual machine monitor, under its own uid, has to pass through. */
const PUBLIC_FOLDER = 0o755;
const PRIVATE_FOLDER = 0o700;
/** A record takes some kilobytes; with the largest account files that an image may bring, megabytes. */
const MOST_RECORDS = 16;

/** The files of a store and how they are read and written; who may do so when is the store's business. */
export class StoreFiles {
  readonly root: string;
  readonly #indexes = new FileMemo<ImageIndex>(1);
  readonly #records = new FileMemo<StoredRecord>(MOST_RECORDS);

  constructor(dataDirectory: string) {
    this.root = path.join(dataDirectory, 'images');
  }

  get temporaryFolder(): string {
    return path.join(this.root, 'tmp');
  }

  get indexLock(): string {
    return path.join(this.root, 'locks', 'index');
  }

  /** Held by whoever makes that image. */
  getBuildLock(id: string): string {
    return path.join(this.root, 'locks', id);
  }

  getBlobPath(blob: string): string {
    return path.join(this.root, 'blobs', `${blob}.erofs`);
  }

  /** Makes the folders unless they are there; modes are exact, whatever the umask. */
  async prepare(): Promise<void> {
    ensureDirectory(path.dirname(this.root), PUBLIC_FOLDER);
    await makeFolder(this.root, PUBLIC_FOLDER);
    await makeFolder(path.join(this.root, 'blobs'), PUBLIC_FOLDER);
    for (const name of ['records', 'locks', 'tmp']) {
      await makeFolder(path.join(this.root, name), PRIVATE_FOLDER);
    }
  }

  async readIndex(): Promise<ImageIndex> {
    try {
      const file = this.#indexPath;
      return await this.#indexes.get(file, async () =>
        parseIndexFile(await readJsonFile(file, MAX_INDEX_BYTES), file),
      );
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return [];
      throw error;
    }
  }

  async writeIndex(index: ImageIndex): Promise<void> {
    await writeFileAtomic(this.#indexPath, formatIndex(index));
  }

  /** Reads an image's record, once, and looks at its file, by size only: this is on the way of every `run`. */
  async readImage(entry: IndexEntry): Promise<ImageRecord> {
    const erofsPath = this.getBlobPath(entry.blob);
    const stored = await this.#readRecord(entry);
    const sizeBytes = findSize(erofsPath);
    if (sizeBytes === undefined) throw damagedImage(entry.id, `${erofsPath} is missing`);
    if (stored.blob !== entry.blob || sizeBytes !== stored.sizeBytes) {
      throw damagedImage(entry.id, `${erofsPath} has ${sizeBytes} bytes, not ${stored.sizeBytes}`);
    }
    const { blob: _, version: __, ...record } = stored;
    return { ...record, names: entry.names, erofsPath };
  }

  /** Puts a finished image in its place; the index, written after it, makes it visible. */
  async install(record: StoredRecord, builtPath: string): Promise<void> {
    const blobPath = this.getBlobPath(record.blob);
    // One that is there has the same content, unless it was cut; a machine that reads it keeps the old inode.
    if (findSize(blobPath) !== record.sizeBytes) {
      await rename(builtPath, blobPath);
      await syncDirectory(path.dirname(blobPath));
    }
    await writeFileAtomic(this.#getRecordPath(record.id), formatRecord(record));
  }

  /** Removes every record and file that the index does not mention; gives the bytes that became free. */
  async removeUnlisted(index: ImageIndex): Promise<number> {
    const records = new Set(index.map(({ id }) => `${id}.json`));
    const blobs = new Set(index.map(({ blob }) => `${blob}.erofs`));
    await removeOthers(path.join(this.root, 'records'), records);
    return removeOthers(path.join(this.root, 'blobs'), blobs);
  }

  get #indexPath(): string {
    return path.join(this.root, 'index.json');
  }

  #getRecordPath(id: string): string {
    return path.join(this.root, 'records', `${id}.json`);
  }

  async #readRecord({ id }: IndexEntry): Promise<StoredRecord> {
    try {
      const file = this.#getRecordPath(id);
      return await this.#records.get(file, async () =>
        parseRecord(await readJsonFile(file, MAX_RECORD_BYTES), id),
      );
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) throw damagedImage(id, 'its record is missing', error);
      throw error;
    }
  }
}

async function makeFolder(folder: string, mode: number): Promise<void> {
  try {
    await mkdir(folder, { mode });
    await chmod(folder, mode);
  } catch (error) {
    if (!hasErrno(error, 'EEXIST')) throw error;
  }
}

function findSize(filePath: string): number | undefined {
  return statSync(filePath, { throwIfNoEntry: false })?.size;
}

async function removeOthers(folder: string, keep: ReadonlySet<string>): Promise<number> {
  let freedBytes = 0;
  for (const name of await readdir(folder)) {
    if (keep.has(name)) continue;
    const filePath = path.join(folder, name);
    freedBytes += findSize(filePath) ?? 0;
    await rm(filePath, { force: true });
  }
  return freedBytes;
}
