import { existsSync, lstatSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { withLock } from '../../src/host/lock.ts';
import { findBuild, listBuilds } from './build-results.ts';
import { listRecipes } from './recipes.ts';

/** A build, or what is left of one, as `wardian guest ls` shows it. */
export interface BuildRecord {
  readonly name: string;
  readonly key: string;
  /** "linux-source-6.1 6.1.140-1"; empty while it is not finished. */
  readonly source: string;
  /** ISO 8601; empty while it is not finished. */
  readonly builtAt: string;
  readonly diskBytes: number;
  /** `current`: this checkout would use it. */
  readonly state: 'current' | 'outdated' | 'unfinished';
}

export function buildsDirectory(cache: string): string {
  return path.join(cache, 'guest/build');
}

/** All builds in the cache, by name. */
export function listBuildRecords(root: string, cache: string): BuildRecord[] {
  const directory = buildsDirectory(cache);
  if (!existsSync(directory)) return [];
  const current = listRecipes(root).map(({ recipe }) => findBuild(directory, recipe)?.files);
  const kept = new Set(current.flatMap((files) => Object.values(files ?? {})));
  const finished = new Map(listBuilds(directory).map((build) => [folderOf(build.files), build]));
  const folders = readdirSync(directory).filter((name) =>
    /^(\.tree-)?\w[\w-]*-[0-9a-f]{16}$/.test(name),
  );
  return folders.sort().map((folder) => {
    const whole = path.join(directory, folder);
    const build = finished.get(whole);
    const isCurrent =
      build !== undefined && Object.values(build.files).some((file) => kept.has(file));
    return {
      name: folder.replace(/^\.tree-/, '').slice(0, -17),
      key: folder.slice(-16),
      source: build?.source ?? '',
      builtAt: build?.builtAt ?? '',
      diskBytes: measure(whole),
      state: build === undefined ? 'unfinished' : isCurrent ? 'current' : 'outdated',
    };
  });
}

/**
 * Removes what no start of this checkout will use, with `all` everything, and returns it. Who builds one of them just now
 * is waited for.
 */
export async function pruneBuilds(
  root: string,
  cache: string,
  { all = false } = {},
): Promise<BuildRecord[]> {
  const directory = buildsDirectory(cache);
  const removed: BuildRecord[] = [];
  const names = new Set(listBuildRecords(root, cache).map(({ name }) => name));
  for (const name of names) {
    await withLock(path.join(directory, `.lock-${name}`), {}, async () => {
      for (const record of listBuildRecords(root, cache)) {
        if (record.name !== name || (record.state === 'current' && !all)) continue;
        for (const prefix of ['', '.tree-']) {
          const folder = path.join(directory, `${prefix}${name}-${record.key}`);
          rmSync(folder, { recursive: true, force: true });
        }
        removed.push(record);
      }
    });
  }
  return removed;
}

function folderOf(files: Readonly<Record<string, string>>): string {
  return path.dirname(Object.values(files)[0] ?? '');
}

function measure(folder: string): number {
  const entries = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return entries.reduce((sum, name) => sum + lstatSync(path.join(folder, name)).blocks * 512, 0);
}
