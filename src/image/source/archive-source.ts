import path from 'node:path';
import { invalidImage, showName, throwIfCancelled } from '../image-errors.ts';
import type { ByteSource } from '../tar/byte-reader.ts';
import { readTar } from '../tar/tar-reader.ts';
import type { FileSource } from './blob-source.ts';
import { FileRange } from './file-range.ts';

/** An archive of an image has a file for each layer and a few more; this leaves room for many images in one. */
const MAX_MEMBERS = 100_000;

/** As `docker save` once did: layers that images share are stored once and linked. */
const MAX_LINKS = 8;

type Member = { offset: number; sizeBytes: number } | { linkedTo: string };

/** Lists an uncompressed tar archive once, then gives out its members by position, without unpacking it. */
export async function openArchiveSource(
  archivePath: string,
  archiveBytes: number,
  signal: AbortSignal | undefined,
): Promise<FileSource> {
  const members = new Map<string, Member>();
  const tar = readTar(new FileRange(archivePath, 0, archiveBytes), path.basename(archivePath));
  for await (const entry of tar) {
    throwIfCancelled(signal);
    const name = normalizeName(entry.name);
    if (entry.kind === 'file') {
      // A file that reaches beyond the archive's end would be noticed late, as a short layer.
      if (entry.offset + entry.sizeBytes > archiveBytes) {
        throw invalidImage(`${path.basename(archivePath)} ends within ${showName(entry.name)}`);
      }
      members.set(name, { offset: entry.offset, sizeBytes: entry.sizeBytes });
    } else if (entry.kind === 'symlink') {
      members.set(name, { linkedTo: normalizeName(path.join(path.dirname(name), entry.linkName)) });
    } else if (entry.kind === 'hard-link') {
      members.set(name, { linkedTo: normalizeName(entry.linkName) });
    }
    if (members.size > MAX_MEMBERS) {
      throw invalidImage(`${path.basename(archivePath)} has more than ${MAX_MEMBERS} members`);
    }
  }
  return new ArchiveSource(archivePath, members);
}

class ArchiveSource implements FileSource {
  readonly #archivePath: string;
  readonly #members: ReadonlyMap<string, Member>;

  constructor(archivePath: string, members: ReadonlyMap<string, Member>) {
    this.#archivePath = archivePath;
    this.#members = members;
  }

  async findSize(name: string): Promise<number | undefined> {
    return this.#find(name)?.sizeBytes;
  }

  open(name: string): ByteSource {
    const { offset, sizeBytes } = this.#find(name) ?? { offset: 0, sizeBytes: 0 };
    return new FileRange(this.#archivePath, offset, offset + sizeBytes);
  }

  #find(name: string): { offset: number; sizeBytes: number } | undefined {
    let member = this.#members.get(normalizeName(Buffer.from(name, 'utf8').toString('latin1')));
    for (let links = 0; member !== undefined && links <= MAX_LINKS; links++) {
      if (!('linkedTo' in member)) return member;
      member = this.#members.get(member.linkedTo);
    }
    return undefined;
  }
}

/** Members are only keys of a map here, so any name is harmless. */
function normalizeName(name: string): string {
  return path.posix.normalize(`/${name}`).replace(/\/+$/, '');
}
