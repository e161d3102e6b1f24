import { randomBytes } from 'node:crypto';
import { mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { syncDirectory } from '../host/files.ts';
import { saveGuestMemory } from '../host/launcher.ts';
import type { HypervisorDriver } from '../hypervisor/driver.ts';
import { Cleanup } from '../util/cleanup.ts';
import { hasErrno, nameFullDisk, toWardianError, WardianError } from '../util/errors.ts';
import type { Guest } from './guest.ts';
import { makeTemplate } from './make-template.ts';
import type { SizeClass } from './size-class.ts';
import { computeGeneration, computeTemplateKey, type Template } from './template.ts';
import { TemplateCatalog } from './template-catalog.ts';
import {
  closeTemplate,
  getMemoryPath,
  getStatePath,
  holdSnapshot,
  loadTemplate,
  removeTemplate,
  writeMetadata,
} from './template-files.ts';

export interface TemplateStoreOptions {
  readonly cacheDirectory: string;
  readonly runtimeDirectory: string;
  readonly driver: HypervisorDriver;
  readonly guest: Guest;
  readonly launcherPath: string;
}

export interface ObtainOptions {
  /** Ends this caller's wait; the template is made all the same, others may want it. */
  readonly signal?: AbortSignal;
  /** A line about each long step; not called when the template is there. */
  readonly onProgress?: (line: string) => void;
}

/** A template that is open, or on its way. */
interface Entry {
  readonly template: Promise<Template>;
  readonly listeners: Set<(line: string) => void>;
}

/** The templates of one driver and one guest: made on demand, kept in the cache, held open while this lives. */
export class TemplateStore {
  readonly #options: TemplateStoreOptions;
  readonly #catalog: TemplateCatalog;
  readonly #generation: string;
  readonly #entries = new Map<string, Entry>();
  readonly #closing = new AbortController();

  constructor(options: TemplateStoreOptions) {
    this.#options = options;
    const { cacheDirectory, driver, guest } = options;
    this.#generation = computeGeneration(driver, guest);
    this.#catalog = new TemplateCatalog({ cacheDirectory, generations: [this.#generation] });
  }

  /** Finds, loads or makes the template of a size. Callers at the same time get the same one. */
  async obtain(size: SizeClass, options: ObtainOptions = {}): Promise<Template> {
    this.#checkOpen();
    const { signal, onProgress } = options;
    const entry = this.#getEntry(size);
    if (onProgress !== undefined) entry.listeners.add(onProgress);
    try {
      return await orCancelled(entry.template, signal);
    } finally {
      if (onProgress !== undefined) entry.listeners.delete(onProgress);
    }
  }

  /** Lets go of all memory; stops what is being made. */
  async close(): Promise<void> {
    this.#closing.abort();
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    for (const { template } of entries) {
      const settled = await template.catch(() => undefined); // its callers were told
      if (settled !== undefined) await closeTemplate(settled);
    }
  }

  #getEntry(size: SizeClass): Entry {
    const key = computeTemplateKey(this.#generation, size);
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    const listeners = new Set<(line: string) => void>();
    const onProgress = (line: string): void => {
      for (const listener of listeners) listener(line);
    };
    const template = this.#loadOrMake(key, size, onProgress);
    const entry: Entry = { template, listeners };
    this.#entries.set(key, entry);
    // A failure may be past when somebody asks again.
    template.catch(() => this.#entries.delete(key));
    return entry;
  }

  async #loadOrMake(
    key: string,
    size: SizeClass,
    onProgress: (line: string) => void,
  ): Promise<Template> {
    await mkdir(this.#catalog.folder, { recursive: true, mode: 0o755 });
    const found = await this.#tryLoad(key, () => {});
    if (found !== undefined) return found;
    const { signal } = this.#closing;
    return await this.#catalog.withKeyLock(key, { signal }, async () => {
      // Another process may have made it while we waited.
      const made = await this.#tryLoad(key, onProgress);
      return made ?? (await this.#make(key, size, onProgress));
    });
  }

  /** Undefined when there is none, or when it was damaged: `note` learns of that. */
  async #tryLoad(key: string, note: (line: string) => void): Promise<Template | undefined> {
    try {
      return await loadTemplate(this.#catalog.getPath(key), this.#options.launcherPath);
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) {
        note(`making template ${key} anew: ${toWardianError(error).message}`);
      }
      return undefined;
    }
  }

  async #make(key: string, size: SizeClass, onProgress: (line: string) => void): Promise<Template> {
    const { driver, guest, runtimeDirectory, launcherPath } = this.#options;
    const catalog = this.#catalog;
    const cleanup = new Cleanup();
    try {
      await catalog.removeUnfinished(key);
      const unfinished = catalog.getUnfinishedPath(key);
      await mkdir(unfinished, { mode: 0o700 });
      cleanup.defer('unfinished template', () => rm(unfinished, { recursive: true, force: true }));
      const id = `template-${randomBytes(6).toString('hex')}`;
      const { config, nonce, memory } = await makeTemplate({
        driver,
        guest,
        size,
        id,
        directory: path.join(runtimeDirectory, 'templates', id),
        statePath: getStatePath(unfinished),
        onProgress,
        signal: this.#closing.signal,
      });
      cleanup.defer('template memory', () => memory.close());
      const saved = await saveGuestMemory(launcherPath, memory, getMemoryPath(unfinished));
      await writeMetadata(unfinished, {
        key,
        generation: this.#generation,
        size,
        createdAtMs: Date.now(),
        nonce: Buffer.from(nonce).toString('hex'),
        memoryChecksum: saved.checksum,
        config,
      });
      const folder = catalog.getPath(key);
      await removeTemplate(folder);
      await rename(unfinished, folder);
      await syncDirectory(catalog.folder);
      const held = await holdSnapshot(config, memory, getStatePath(folder));
      return { key, size, nonce, ...held };
    } catch (error) {
      throw await cleanup.fail(nameFullDisk(error, this.#options.cacheDirectory));
    }
  }

  #checkOpen(): void {
    if (this.#closing.signal.aborted) {
      throw new WardianError('INTERNAL', 'the template store is closed');
    }
  }
}

async function orCancelled<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await work;
  const cancelled = () => new WardianError('CANCELLED', 'waiting for a template was cancelled');
  if (signal.aborted) throw cancelled();
  let stop = (): void => {};
  const cancellation = new Promise<never>((_, reject) => {
    const abort = (): void => reject(cancelled());
    signal.addEventListener('abort', abort, { once: true });
    stop = () => signal.removeEventListener('abort', abort);
  });
  return await Promise.race([work, cancellation]).finally(stop);
}
