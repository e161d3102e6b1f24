import { lstat } from 'node:fs/promises';
import path from 'node:path';
import { hasErrno } from '../../util/errors.ts';
import type { ByteSource } from '../tar/byte-reader.ts';
import type { FileSource } from './blob-source.ts';
import { FileRange } from './file-range.ts';

/** The files of an image layout in a folder. Names are ours (`index.json`, `blobs/…`), never the image's. */
export function createFolderSource(folder: string): FileSource {
  const sizes = new Map<string, number>();
  return {
    async findSize(name: string): Promise<number | undefined> {
      try {
        const status = await lstat(path.join(folder, name));
        if (!status.isFile()) return undefined;
        sizes.set(name, status.size);
        return status.size;
      } catch (error) {
        if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
        throw error;
      }
    },
    open(name: string): ByteSource {
      return new FileRange(path.join(folder, name), 0, sizes.get(name) ?? 0);
    },
  };
}
