import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { withLock } from '../host/lock.ts';
import { hasErrno } from '../util/errors.ts';
import type { SizeClass } from './size-class.ts';
import { measureTemplate, readMetadata, removeTemplate } from './template-files.ts';

export interface TemplateCatalogOptions {
  readonly cacheDirectory: string;
  /** Of the templates that can still be used. */
  readonly generations: readonly string[];
}

export interface TemplateSummary {
  readonly key: string;
  readonly size: SizeClass;
  readonly createdAtMs: number;
  readonly diskBytes: number;
  /** False when kernel, agent or VMM have changed since: nothing will use it again. */
  readonly isCurrent: boolean;
}

const KEY = /^[0-9a-f]{32}$/;
const UNFINISHED = '.making-';

/** The folder that templates are kept in, those of older generations too; shared by all processes of a user. */
export class TemplateCatalog {
  readonly folder: string;
  readonly #generations: readonly string[];

  constructor({ cacheDirectory, generations }: TemplateCatalogOptions) {
    this.folder = path.join(cacheDirectory, 'templates');
    this.#generations = generations;
  }

  getPath(key: string): string {
    return path.join(this.folder, key);
  }

  /** Where a template is made, before it is moved to its place. */
  getUnfinishedPath(key: string): string {
    return path.join(this.folder, `${UNFINISHED}${key}`);
  }

  /** All templates, oldest first; what is damaged is left out. */
  async list(): Promise<TemplateSummary[]> {
    const keys = (await this.#listNames()).filter((name) => KEY.test(name));
    const found = await Promise.all(keys.map((key) => this.#summarize(key)));
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
    const names = await this.#listNames();
    for (const key of new Set(names.map((name) => name.replace(UNFINISHED, '')))) {
      if (!KEY.test(key)) continue;
      const isUnwanted = names.includes(key) && (all || !current.has(key));
      // Running clones are not touched: the kernel keeps their memory until the last of them is gone.
      await this.withKeyLock(key, {}, async () => {
        await this.removeUnfinished(key);
        if (isUnwanted) await removeTemplate(this.getPath(key));
      });
      if (isUnwanted) removed.push(key);
    }
    return removed;
  }

  /** What a process left that died while it made this template; the caller holds the lock. */
  async removeUnfinished(key: string): Promise<void> {
    await rm(this.getUnfinishedPath(key), { recursive: true, force: true });
  }

  /** One process at a time makes or removes a template. */
  async withKeyLock<T>(
    key: string,
    options: { signal?: AbortSignal },
    action: () => Promise<T>,
  ): Promise<T> {
    return await withLock(path.join(this.folder, `${key}.lock`), options, action);
  }

  async #summarize(key: string): Promise<TemplateSummary | undefined> {
    const folder = this.getPath(key);
    try {
      const { size, createdAtMs, generation } = await readMetadata(folder);
      const diskBytes = await measureTemplate(folder);
      const isCurrent = this.#generations.includes(generation);
      return { key, size, createdAtMs, diskBytes, isCurrent };
    } catch {
      return undefined; // damaged or just removed: there is no template
    }
  }

  async #listNames(): Promise<string[]> {
    try {
      return await readdir(this.folder);
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return [];
      throw error;
    }
  }
}
