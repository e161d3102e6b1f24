import { rm } from 'node:fs/promises';
import { withLock } from '../host/lock.ts';
import type { ImageDocument } from '../oci/image-spec/image-config.ts';
import { Cleanup } from '../util/cleanup.ts';
import { nameFullDisk, WardianError } from '../util/errors.ts';
import {
  type BuildContext,
  type BuiltImage,
  buildFromLayers,
  type LoadProgress,
} from './build-image.ts';
import {
  findMeantNames,
  type ImageIndex,
  type IndexEntry,
  moveNames,
  resolveReference,
} from './image-index.ts';
import { type ImageRecord, RECORD_VERSION, type StoredRecord } from './image-record.ts';
import { nameFromUser } from './image-reference.ts';
import { DEFAULT_LIMITS, type ImageLimits } from './limits.ts';
import { type ImageSource, openImages } from './source/open-source.ts';
import { StoreFiles } from './store-files.ts';
import { clearStaleFolders, createTemporaryFolder } from './temporary-folder.ts';

export interface LoadOptions {
  /** Instead of the names that the source states; only for a source with one image. */
  names?: readonly string[];
  onProgress?: (progress: LoadProgress) => void;
  signal?: AbortSignal;
}

export interface RemoveResult {
  /** Names that the image lost. */
  readonly untagged: readonly string[];
  /** Id of the image when it is gone; undefined when it goes on under other names. */
  readonly deletedId: string | undefined;
  readonly freedBytes: number;
}

export interface PruneResult {
  readonly deletedIds: readonly string[];
  readonly freedBytes: number;
}

/** An image about to be added: who it is, and how to make its file system should it not be there yet. */
export interface NewImage {
  readonly id: string;
  readonly digest: string;
  /** Full names. */
  readonly names: readonly string[];
  readonly document: ImageDocument;
  build(context: BuildContext): Promise<BuiltImage>;
}

/**
 * The images of one user, under `<data>/images`: one EROFS file for each content, one record for each image, one index
 * of names. Any number of processes may use it at once; readers never wait.
 */
export class ImageStore {
  readonly #files: StoreFiles;
  readonly #limits: ImageLimits;

  /** `dataDirectory` as `findDirectories` gives it; made when the first image comes. */
  constructor(dataDirectory: string, limits: Partial<ImageLimits> = {}) {
    this.#files = new StoreFiles(dataDirectory);
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
  }

  /** All images, the latest first. Damaged ones are left out: `find` says what is wrong with them. */
  async list(): Promise<ImageRecord[]> {
    const records: ImageRecord[] = [];
    for (const entry of await this.#files.readIndex()) {
      const record = await this.#readUsable(entry);
      if (record !== undefined) records.push(record);
    }
    return records.sort((one, other) => other.loadedAtMs - one.loadedAtMs);
  }

  /** Finds by name (`busybox`, `localhost/app:1`), digest, or id; IMAGE_NOT_FOUND, or STATE_CORRUPT when it is damaged. */
  async find(reference: string): Promise<ImageRecord> {
    return this.#files.readImage(resolveReference(await this.#files.readIndex(), reference));
  }

  /**
   * Loads every image of an OCI layout folder, an OCI archive or a docker archive (by path, or as a stream), and moves
   * their names to them. Fails as a whole for the image at fault; nothing of it stays behind.
   */
  async load(source: ImageSource, options: LoadOptions = {}): Promise<ImageRecord[]> {
    const names = options.names?.map(nameFromUser);
    return this.#withContext(options, async (context) => {
      const candidates = await openImages(source, context);
      if (names !== undefined && candidates.length > 1) throw severalImages(candidates.length);
      const records: ImageRecord[] = [];
      for (const candidate of candidates) {
        const image = {
          ...candidate,
          names: names ?? candidate.names,
          build: () => buildFromLayers(candidate.layers, context),
        };
        records.push(await this.#addImage(image, context));
        await removeBuildFiles(context);
      }
      return records;
    });
  }

  /** Adds one image that is made rather than loaded. */
  async add(image: NewImage, options: Omit<LoadOptions, 'names'> = {}): Promise<ImageRecord> {
    return this.#withContext(options, (context) => this.#addImage(image, context));
  }

  /**
   * Takes a name from an image, and removes it with its last name. By id it is removed with all its names,
   * which several need `force`. Whether a container uses it is for the caller to know.
   */
  async remove(reference: string, options: { force?: boolean } = {}): Promise<RemoveResult> {
    await this.#files.prepare();
    return withLock(this.#files.indexLock, {}, async () => {
      const index = await this.#files.readIndex();
      const entry = resolveReference(index, reference);
      const meant = findMeantNames(entry, reference);
      const untagged = meant.length > 0 ? meant : entry.names;
      if (meant.length === 0 && untagged.length > 1 && options.force !== true) {
        throw severalNames(entry);
      }
      const left = entry.names.filter((name) => !untagged.includes(name));
      const others = index.filter(({ id }) => id !== entry.id);
      if (left.length > 0) {
        await this.#files.writeIndex(moveNames(others, { ...entry, names: left }, left));
        return { untagged, deletedId: undefined, freedBytes: 0 };
      }
      const freedBytes = await this.#replaceIndex(others);
      return { untagged, deletedId: entry.id, freedBytes };
    });
  }

  /** Removes images that no name leads to any more, and whatever a crash left behind. */
  async prune(): Promise<PruneResult> {
    await this.#files.prepare();
    await clearStaleFolders(this.#files.temporaryFolder);
    return withLock(this.#files.indexLock, {}, async () => {
      const index = await this.#files.readIndex();
      const deletedIds = index.filter(({ names }) => names.length === 0).map(({ id }) => id);
      const freedBytes = await this.#replaceIndex(index.filter(({ names }) => names.length > 0));
      return { deletedIds, freedBytes };
    });
  }

  async #withContext<T>(
    options: Omit<LoadOptions, 'names'>,
    action: (context: BuildContext) => Promise<T>,
  ): Promise<T> {
    const cleanup = new Cleanup();
    try {
      await this.#files.prepare();
      await clearStaleFolders(this.#files.temporaryFolder);
      const temporaryDirectory = await createTemporaryFolder(this.#files.temporaryFolder);
      cleanup.defer('remove temporary files', () =>
        rm(temporaryDirectory, { recursive: true, force: true }),
      );
      const { onProgress, signal } = options;
      const limits = this.#limits;
      const result = await action({ temporaryDirectory, limits, onProgress, signal });
      await cleanup.run();
      return result;
    } catch (error) {
      throw await cleanup.fail(nameFullDisk(error, this.#files.root));
    }
  }

  /** Two processes that load one image at once make it once: the second waits and finds it made. */
  async #addImage(image: NewImage, context: BuildContext): Promise<ImageRecord> {
    const { signal } = context;
    return withLock(this.#files.getBuildLock(image.id), { signal }, async () => {
      const known = await this.#findUsable(image.id);
      const built = known === undefined ? await image.build(context) : undefined;
      return withLock(this.#files.indexLock, { signal }, async () => {
        const index = await this.#files.readIndex();
        const present = index.find(({ id }) => id === image.id);
        if (built === undefined && present !== undefined)
          return this.#rename(index, present, image);
        return this.#install(index, image, built ?? (await image.build(context)));
      });
    });
  }

  async #rename(index: ImageIndex, entry: IndexEntry, image: NewImage): Promise<ImageRecord> {
    const moved = moveNames(index, entry, image.names);
    await this.#files.writeIndex(moved);
    return this.#files.readImage(resolveReference(moved, entry.id));
  }

  async #install(index: ImageIndex, image: NewImage, built: BuiltImage): Promise<ImageRecord> {
    const { id, digest, document } = image;
    const record: StoredRecord = {
      version: RECORD_VERSION,
      id,
      digest,
      blob: built.digest,
      createdAtMs: document.createdAtMs,
      loadedAtMs: Date.now(),
      sizeBytes: built.sizeBytes,
      config: document.config,
      passwd: built.passwd,
      group: built.group,
    };
    await this.#files.install(record, built.filePath);
    return this.#rename(index, { id, digest, blob: built.digest, names: [] }, image);
  }

  async #findUsable(id: string): Promise<ImageRecord | undefined> {
    const entry = (await this.#files.readIndex()).find((candidate) => candidate.id === id);
    return entry === undefined ? undefined : this.#readUsable(entry);
  }

  async #readUsable(entry: IndexEntry): Promise<ImageRecord | undefined> {
    try {
      return await this.#files.readImage(entry);
    } catch (error) {
      if (error instanceof WardianError && error.code === 'STATE_CORRUPT') return undefined;
      throw error;
    }
  }

  /** The index first: a crash in between leaves files that nothing mentions, and `prune` removes those. */
  async #replaceIndex(index: ImageIndex): Promise<number> {
    await this.#files.writeIndex(index);
    return this.#files.removeUnlisted(index);
  }
}

/** The next image of the same source uses the same names for its files. */
async function removeBuildFiles({ temporaryDirectory }: BuildContext): Promise<void> {
  await rm(`${temporaryDirectory}/spool`, { force: true });
  await rm(`${temporaryDirectory}/image.erofs`, { force: true });
}

function severalImages(count: number): WardianError {
  return new WardianError('USAGE', `the source holds ${count} images, which cannot share a name`, {
    hint: 'load it without giving names',
  });
}

function severalNames({ id, names }: IndexEntry): WardianError {
  return new WardianError(
    'USAGE',
    `the image ${id.slice(0, 12)} has the names ${names.join(', ')}`,
    {
      hint: 'remove it by one of its names, or with --force',
    },
  );
}
