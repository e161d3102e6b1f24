import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { syncDirectory } from '../host/files.ts';
import { saveGuestMemory } from '../host/launcher.ts';
import { withLock } from '../host/lock.ts';
import type { HypervisorDriver } from '../hypervisor/driver.ts';
import { Cleanup } from '../util/cleanup.ts';
import { hasErrno, toWardianError, WardianError } from '../util/errors.ts';
import type { Guest } from './guest.ts';
import { makeTemplate } from './make-template.ts';
import type { SizeClass } from './size-class.ts';
import { computeGeneration, computeTemplateKey, type Template } from './template.ts';
import {
  getMemoryPath,
  getStatePath,
  loadTemplate,
  measureTemplate,
  readMetadata,
  removeTemplate,
  type TemplateMetadata,
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

export interface TemplateSummary {
  readonly key: string;
  readonly size: SizeClass;
  readonly createdAtMs: number;
  readonly diskBytes: number;
  /** False when kernel, agent or VMM have changed since: nothing will use it again. */
  readonly isCurrent: boolean;
}

/** A template that is open, or on its way. */
interface Entry {
  readonly template: Promise<Template>;
  readonly listeners: Set<(line: string) => void>;
}

const KEY = /^[0-9a-f]{32}$/;
const UNFINISHED = '.making-';

/** The templates of one driver and one guest: made on demand, kept in the cache, held open while this lives. */
export class TemplateStore {
  readonly #options: TemplateStoreOptions;
  readonly #folder: string;
  readonly #generation: string;
  readonly #entries = new Map<string, Entry>();
  readonly #closing = new AbortController();

  constructor(options: TemplateStoreOptions) {
    this.#options = options;
    this.#folder = path.join(options.cacheDirectory, 'templates');
    this.#generation = computeGeneration(options.driver, options.guest);
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

  /** The templates in the cache, those of older generations too; what is damaged is left out. */
  async list(): Promise<TemplateSummary[]> {
    const folders = (await this.#listNames()).filter((name) => KEY.test(name));
    const found = await Promise.all(folders.map((name) => this.#summarize(name)));
    return found
      .filter((summary) => summary !== undefined)
      .sort((a, b) => a.createdAtMs - b.createdAtMs);
  }

  /** Removes templates that nothing will use again (`all`: every one) and what was left half-made. Returns their keys. */
  async prune({ all }: { all: boolean }): Promise<string[]> {
    const current = new Set(
      (await this.list()).filter((one) => one.isCurrent).map((one) => one.key),
    );
    const removed: string[] = [];
    for (const name of await this.#listNames()) {
      if (!KEY.test(name) || (!all && current.has(name))) continue;
      // Running clones are not touched: the kernel keeps their memory until the last of them is gone.
      await this.#withKeyLock(name, async () => {
        await this.#removeUnfinished(name);
        await removeTemplate(path.join(this.#folder, name));
      });
      removed.push(name);
    }
    return removed;
  }

  /** Lets go of all memory; stops what is being made. */
  async close(): Promise<void> {
    this.#closing.abort();
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    for (const { template } of entries) {
      const settled = await template.catch(() => undefined); // its callers were told
      await settled?.snapshot.memory.close();
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
    await mkdir(this.#folder, { recursive: true, mode: 0o755 });
    const found = await this.#tryLoad(key, () => {});
    if (found !== undefined) return found;
    return await this.#withKeyLock(key, async () => {
      // Another process may have made it while we waited.
      const made = await this.#tryLoad(key, onProgress);
      return made ?? (await this.#make(key, size, onProgress));
    });
  }

  /** Undefined when there is none, or when it was damaged: `note` learns of that. */
  async #tryLoad(key: string, note: (line: string) => void): Promise<Template | undefined> {
    try {
      return await loadTemplate(path.join(this.#folder, key), this.#options.launcherPath);
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) {
        note(`making template ${key} anew: ${toWardianError(error).message}`);
      }
      return undefined;
    }
  }

  async #make(key: string, size: SizeClass, onProgress: (line: string) => void): Promise<Template> {
    const { driver, guest, runtimeDirectory, launcherPath } = this.#options;
    const cleanup = new Cleanup();
    try {
      await this.#removeUnfinished(key);
      const unfinished = path.join(this.#folder, `${UNFINISHED}${key}`);
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
      const folder = path.join(this.#folder, key);
      await removeTemplate(folder);
      await rename(unfinished, folder);
      await syncDirectory(this.#folder);
      return { key, size, nonce, snapshot: { config, memory, statePath: getStatePath(folder) } };
    } catch (error) {
      throw await cleanup.fail(error);
    }
  }

  async #summarize(key: string): Promise<TemplateSummary | undefined> {
    const folder = path.join(this.#folder, key);
    let metadata: TemplateMetadata;
    try {
      metadata = await readMetadata(folder);
      const { size, createdAtMs, generation } = metadata;
      const diskBytes = await measureTemplate(folder);
      return { key, size, createdAtMs, diskBytes, isCurrent: generation === this.#generation };
    } catch {
      return undefined; // damaged or just removed: there is no template
    }
  }

  /** What a process left that died while it made this template; the caller holds the lock. */
  async #removeUnfinished(key: string): Promise<void> {
    await rm(path.join(this.#folder, `${UNFINISHED}${key}`), { recursive: true, force: true });
  }

  async #withKeyLock<T>(key: string, action: () => Promise<T>): Promise<T> {
    const { signal } = this.#closing;
    return await withLock(path.join(this.#folder, `${key}.lock`), { signal }, action);
  }

  async #listNames(): Promise<string[]> {
    try {
      return await readdir(this.#folder);
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return [];
      throw error;
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
  const cancelled = new WardianError('CANCELLED', 'waiting for a template was cancelled');
  if (signal.aborted) throw cancelled;
  let stop = (): void => {};
  const cancellation = new Promise<never>((_, reject) => {
    const abort = (): void => reject(cancelled);
    signal.addEventListener('abort', abort, { once: true });
    stop = () => signal.removeEventListener('abort', abort);
  });
  return await Promise.race([work, cancellation]).finally(stop);
}
