import { createHash } from 'node:crypto';
import { chmodSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { BuiltFiles, Recipe } from './recipe.ts';

/** result.json: what was built, of what, and which files it is. */
export interface BuildResult {
  readonly version: 1;
  readonly name: string;
  /** SHA-256 of configuration, patches and recipe: by it a checkout knows a result for its own, whatever the source's version. */
  readonly recipe: string;
  /** "linux-source-6.1 6.1.140-1" */
  readonly source: string;
  readonly builtAt: string;
  /** Absolute paths, by what they are. */
  readonly files: Readonly<Record<string, string>>;
  readonly sha256: Readonly<Record<string, string>>;
  readonly facts: Readonly<Record<string, unknown>>;
}

type Ingredients = Pick<Recipe, 'name' | 'patches' | 'ingredients'>;

/** One hash over all that the checkout contributes to a result. */
export function recipeHash({ name, patches, ingredients }: Ingredients): string {
  const hash = createHash('sha256').update(JSON.stringify([name, ingredients]));
  for (const file of listPatches(patches)) {
    hash.update(`\0${path.basename(file)}\0`).update(readFileSync(file));
  }
  return hash.digest('hex');
}

/** The end of the folder's name: the recipe, and the version of the source that it was applied to. */
export function contentKey(recipe: Ingredients, sourceVersion: string): string {
  const text = JSON.stringify([recipeHash(recipe), sourceVersion]);
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/** The patches of a folder in the order in which they are applied. */
export function listPatches(folder: string): string[] {
  try {
    const names = readdirSync(folder).filter((name) => name.endsWith('.patch'));
    return names.sort().map((name) => path.join(folder, name));
  } catch {
    return []; // no folder: nothing to patch
  }
}

/** The newest whole result of the recipe as it is in this checkout. */
export function findBuild(buildDirectory: string, recipe: Ingredients): BuildResult | undefined {
  const wanted = recipeHash(recipe);
  return listBuilds(buildDirectory)
    .filter((result) => result.name === recipe.name && result.recipe === wanted)
    .sort((one, other) => one.builtAt.localeCompare(other.builtAt))
    .at(-1);
}

/** Every result whose files are all there. */
export function listBuilds(buildDirectory: string): BuildResult[] {
  return listFolders(buildDirectory)
    .map((name) => readResult(path.join(buildDirectory, name)))
    .filter((result) => result !== undefined);
}

function listFolders(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => !name.startsWith('.'));
  } catch {
    return []; // nothing was ever built
  }
}

function readResult(directory: string): BuildResult | undefined {
  try {
    const text = readFileSync(path.join(directory, 'result.json'), 'utf8');
    const result = JSON.parse(text) as BuildResult;
    if (result.version !== 1) return undefined;
    for (const file of Object.values(result.files)) statSync(file);
    return result;
  } catch {
    return undefined; // half removed, or another release's: built again when it is wanted
  }
}

export interface Finished {
  readonly recipe: Recipe;
  readonly built: BuiltFiles;
  /** Of the source package. */
  readonly version: string;
  readonly directory: string;
}

/** Seals a result: with this file, written last, it is one. */
export function writeResult({ recipe, built, version, directory }: Finished): BuildResult {
  const names = Object.entries(built.files);
  const files = names.map(([name, file]): [string, string] => [name, path.join(directory, file)]);
  // Each virtual machine runs as a user of its own.
  chmodSync(directory, 0o755);
  const result: BuildResult = {
    version: 1,
    name: recipe.name,
    recipe: recipeHash(recipe),
    source: `${recipe.source.package} ${version}`,
    builtAt: new Date().toISOString(),
    files: Object.fromEntries(files),
    sha256: Object.fromEntries(files.map(([name, file]) => [name, hashFile(file)])),
    facts: built.facts ?? {},
  };
  for (const [, file] of files) {
    const executable = (statSync(file).mode & 0o100) !== 0;
    chmodSync(file, executable ? 0o755 : 0o644);
  }
  const target = path.join(directory, 'result.json');
  writeFileSync(`${target}.new`, `${JSON.stringify(result, undefined, 2)}\n`, { flush: true });
  chmodSync(`${target}.new`, 0o644);
  renameSync(`${target}.new`, target);
  return result;
}

function hashFile(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}
