import { WardianError } from '../util/errors.ts';
import { DIGEST_HEX } from './image-record.ts';
import { listFullNames, parseIdPrefix, parseImageName } from './image-reference.ts';

/** What changes about an image, and what is needed to find or count it, for all images in one small file. */
export interface IndexEntry {
  readonly id: string;
  readonly digest: string;
  /** sha256 of its file system image; images with equal content share one. */
  readonly blob: string;
  readonly names: readonly string[];
}

export type ImageIndex = readonly IndexEntry[];

const VERSION = 1;

/** Room for tens of thousands of images. */
export const MAX_INDEX_BYTES = 16 * 2 ** 20;

export function formatIndex(index: ImageIndex): string {
  return `${JSON.stringify({ version: VERSION, images: index }, undefined, 1)}\n`;
}

export function parseIndexFile(value: unknown, filePath: string): ImageIndex {
  const { version, images } = (value ?? {}) as { version?: unknown; images?: unknown };
  if (version === VERSION && Array.isArray(images) && images.every(isEntry)) return images;
  throw new WardianError('STATE_CORRUPT', `${filePath} is damaged or of another version`, {
    hint: 'remove that file, then load the images again',
  });
}

/** Finds by name, then by id or the beginning of one. IMAGE_NOT_FOUND also when several ids begin so. */
export function resolveReference(index: ImageIndex, reference: string): IndexEntry {
  const entry = findByName(index, reference) ?? findById(index, reference);
  if (entry !== undefined) return entry;
  throw new WardianError('IMAGE_NOT_FOUND', `no image is called ${JSON.stringify(reference)}`, {
    hint: 'list them with wardian images, or load one: wardian load -i ARCHIVE',
  });
}

/** Gives the image these names besides those that it has; whoever had them loses them. */
export function moveNames(
  index: ImageIndex,
  entry: IndexEntry,
  names: readonly string[],
): ImageIndex {
  const moved = new Set(names);
  const known = index.find(({ id }) => id === entry.id)?.names ?? [];
  const others = index
    .filter(({ id }) => id !== entry.id)
    .map((other) => ({ ...other, names: other.names.filter((name) => !moved.has(name)) }));
  const added = { ...entry, names: [...new Set([...known, ...names])] };
  return [...others, added].sort((one, other) => (one.id < other.id ? -1 : 1));
}

/** The names of the entry that the reference means; none when it means the image by its id. */
export function findMeantNames({ names }: IndexEntry, reference: string): string[] {
  const parsed = parseImageName(reference);
  if (parsed === undefined || parsed.digest !== undefined) return [];
  const first = listFullNames(parsed).find((name) => names.includes(name));
  return first === undefined ? [] : [first];
}

function findByName(index: ImageIndex, reference: string): IndexEntry | undefined {
  const parsed = parseImageName(reference);
  if (parsed === undefined) return undefined;
  if (parsed.digest !== undefined) return findByDigest(index, parsed.repository, parsed.digest);
  for (const name of listFullNames(parsed)) {
    const entry = index.find(({ names }) => names.includes(name));
    if (entry !== undefined) return entry;
  }
  return undefined;
}

/** The digest is exact; the repository only has to be one that the image goes by. */
function findByDigest(
  index: ImageIndex,
  repository: string,
  digest: string,
): IndexEntry | undefined {
  const wanted = listFullNames({ repository, tag: '', digest: undefined });
  return index.find(
    (entry) =>
      entry.digest === digest &&
      entry.names.some((name) => wanted.some((start) => name.startsWith(start))),
  );
}

function findById(index: ImageIndex, reference: string): IndexEntry | undefined {
  const prefix = parseIdPrefix(reference);
  if (prefix === undefined) return undefined;
  const matches = index.filter(({ id }) => id.startsWith(prefix));
  if (matches.length < 2) return matches[0];
  throw new WardianError('IMAGE_NOT_FOUND', `${matches.length} images have ids with ${prefix}`, {
    hint: `give more digits: ${matches.map(({ id }) => id.slice(0, 12)).join(', ')}`,
  });
}

function isEntry(value: unknown): value is IndexEntry {
  const entry = (value ?? {}) as Partial<IndexEntry>;
  return (
    DIGEST_HEX.test(entry.id ?? '') &&
    DIGEST_HEX.test(entry.blob ?? '') &&
    typeof entry.digest === 'string' &&
    Array.isArray(entry.names) &&
    entry.names.every((name) => typeof name === 'string')
  );
}
