import { type FileHandle, open, stat } from 'node:fs/promises';
import path from 'node:path';
import { hasErrno, WardianError } from '../../util/errors.ts';
import type { ImageLimits } from '../limits.ts';
import { openArchiveSource } from './archive-source.ts';
import type { FileSource } from './blob-source.ts';
import { decompress, ExpansionBudget, peek } from './decompress.ts';
import { readDockerArchive } from './docker-archive.ts';
import { FileRange } from './file-range.ts';
import { createFolderSource } from './folder-source.ts';
import type { ImageCandidate } from './image-candidate.ts';
import { readOciLayout } from './oci-layout.ts';

/** A folder or archive by its path, or an archive's bytes (standard input). */
export type ImageSource = string | AsyncIterable<Uint8Array>;

export interface OpenOptions {
  /** A private folder for what has to be decompressed before it can be read by position. */
  temporaryDirectory: string;
  limits: ImageLimits;
  signal?: AbortSignal | undefined;
}

/** Finds out what the source is and which images it holds; their layers can be read until its files go away. */
export async function openImages(
  source: ImageSource,
  options: OpenOptions,
): Promise<ImageCandidate[]> {
  const files = await openFiles(source, options);
  const baseName = typeof source === 'string' ? nameAfterFile(source) : '';
  const { limits } = options;
  const images =
    (await readOciLayout({ source: files, limits, baseName })) ??
    (await readDockerArchive(files, limits));
  if (images !== undefined) return images;
  const what = typeof source === 'string' ? source : 'what was read from standard input';
  throw new WardianError('IMAGE_INVALID', `${what} is neither an OCI layout nor a docker archive`, {
    hint: 'it should hold an index.json or a manifest.json; for a plain file tree make an image first, as with buildah',
  });
}

async function openFiles(source: ImageSource, options: OpenOptions): Promise<FileSource> {
  if (typeof source !== 'string') return unpackArchive(source, 'standard input', options);
  const status = await stat(source).catch((error: unknown) => {
    throw hasErrno(error, 'ENOENT', 'ENOTDIR') ? notFound(source, error) : error;
  });
  if (status.isDirectory()) return createFolderSource(source);
  const label = path.basename(source);
  if (!status.isFile()) return unpackArchive(readPipe(source), label, options);
  const probe = new FileRange(source, 0, 512)[Symbol.asyncIterator]();
  const { compression } = await peek(probe);
  await probe.return(undefined);
  if (compression === 'none') return openArchiveSource(source, status.size, options.signal);
  return unpackArchive(new FileRange(source, 0, status.size), label, options);
}

/** Writes the decompressed archive to a temporary file: its members are wanted in another order than they come. */
async function unpackArchive(
  input: AsyncIterable<Uint8Array>,
  label: string,
  options: OpenOptions,
): Promise<FileSource> {
  const archivePath = path.join(options.temporaryDirectory, 'archive.tar');
  const handle = await open(archivePath, 'wx', 0o600);
  let sizeBytes = 0;
  try {
    const plain = decompress({
      input: asBuffers(input),
      label,
      budget: new ExpansionBudget(options.limits),
      signal: options.signal,
    });
    for await (const chunk of plain) {
      await writeAll(handle, chunk);
      sizeBytes += chunk.length;
    }
  } finally {
    await handle.close();
  }
  return openArchiveSource(archivePath, sizeBytes, options.signal);
}

async function writeAll(handle: FileHandle, chunk: Buffer): Promise<void> {
  for (let done = 0; done < chunk.length; ) {
    const { bytesWritten } = await handle.write(chunk, done);
    done += bytesWritten;
  }
}

async function* asBuffers(input: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  for await (const chunk of input) {
    yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  }
}

/** A named pipe or /dev/stdin: it has an end, but no positions. */
async function* readPipe(filePath: string): AsyncGenerator<Buffer> {
  const handle = await open(filePath, 'r');
  try {
    yield* handle.createReadStream({ autoClose: false }) as AsyncIterable<Buffer>;
  } finally {
    await handle.close();
  }
}

/** What an image is called that states only its tag: as the folder or file it came in. */
function nameAfterFile(filePath: string): string {
  return path.basename(path.resolve(filePath)).replace(/\.(tar|tgz|tar\.[a-z0-9]+|oci)$/i, '');
}

function notFound(source: string, cause: unknown): WardianError {
  return new WardianError('PATH_NOT_FOUND', `${source} is not there`, {
    cause,
    hint: 'name an OCI layout folder or an image archive',
  });
}
