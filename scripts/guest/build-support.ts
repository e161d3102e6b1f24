import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { withLock } from '../../src/host/lock.ts';
import type { Report } from '../support/progress.ts';
import { type BuildResult, contentKey, findBuild, writeResult } from './build-results.ts';
import { hasSpace, requireSpace } from './disk-space.ts';
import { type LoggedOptions, runLogged } from './run-logged.ts';
import { fetchSource, type SourcePackage, unpackSource } from './source-package.ts';

/**
 * Builds a program of the guest's from a Debian source package. For somebody who adds one:
 *
 *   export function qemuRecipe(root: string): Recipe           // guest/<what>/build-<what>.ts
 *
 * says where the source comes from, what else decides about the result, and how to get from the patched tree to the
 * files. Everything else is done here: one build of a thing at a time (others wait and then find it), source verified by apt,
 * patches of a folder applied in the order of their names, output in a log, an interrupted build taken up where it was
 * (the tree stays, so `make` and `ninja` go on), result.json written last, the tree removed.
 * The result lies in `<buildDirectory>/<name>-<16 hex>/`, readable by everybody. scripts/guest/main.ts lists the recipes.
 */
export interface Recipe {
  /** "qemu": the beginning of the folder's name. */
  readonly name: string;
  readonly source: SourcePackage;
  /** A folder of *.patch files, made with `-p1`; it need not be there. */
  readonly patches: string;
  /** Texts that decide what is built: configuration, flags, a number to raise when the steps change. Patches count anyway. */
  readonly ingredients: readonly string[];
  /** Free space that a build takes beside the source archive. */
  readonly diskBytes: number;
  /** Configures and compiles in `tree.source` or `tree.work`, puts files into `tree.output`, and says what the result holds. */
  build(tree: BuildTree): Promise<BuiltFiles>;
}

export interface BuildTree {
  /** The source, unpacked and patched. */
  readonly source: string;
  /** An empty folder beside it, for builds outside of the source. */
  readonly work: string;
  /** What is put here becomes the result's folder. */
  readonly output: string;
  /** For SOURCE_DATE_EPOCH and the like: the date of Debian's source package, in seconds. */
  readonly sourceDateSeconds: number;
  readonly jobs: number;
  readonly report: Report;
  /** Runs a program with its output in the log; `onLine` sees every line. */
  run(argv: readonly string[], options?: LoggedOptions): Promise<void>;
}

/** Paths are relative to the output folder; the rest is copied to result.json as it is. */
export interface BuiltFiles {
  readonly files: Readonly<Record<string, string>>;
  readonly facts?: Readonly<Record<string, unknown>>;
}

export interface BuildContext {
  /** `<cache>/guest/build`. */
  readonly buildDirectory: string;
  readonly jobs: number;
  readonly report: Report;
}

/** Returns the result of the recipe, which is made unless it is there. */
export async function buildRecipe(recipe: Recipe, context: BuildContext): Promise<BuildResult> {
  const { buildDirectory } = context;
  mkdirSync(buildDirectory, { recursive: true, mode: 0o755 });
  const lock = path.join(buildDirectory, `.lock-${recipe.name}`);
  context.report('waiting for another build of it to finish');
  return withLock(lock, {}, async () => {
    const present = findBuild(buildDirectory, recipe);
    return present ?? buildAnew(recipe, context);
  });
}

async function buildAnew(recipe: Recipe, context: BuildContext): Promise<BuildResult> {
  const { buildDirectory, report } = context;
  requireSpace(buildDirectory, recipe.diskBytes);
  const archive = await fetchSource(recipe.source, path.join(buildDirectory, '.sources'), report);
  const key = contentKey(recipe, archive.version);
  const base = path.join(buildDirectory, `.tree-${recipe.name}-${key}`);
  const tree = makeTree(base, archive.dateSeconds, context);
  await unpackSource(archive, { target: tree.source, patches: recipe.patches, run: tree.run });
  const built = await recipe.build(tree);
  const target = path.join(buildDirectory, `${recipe.name}-${key}`);
  // One of the same key without a result.json was cut off while it was moved or is damaged.
  rmSync(target, { recursive: true, force: true });
  renameSync(tree.output, target);
  const result = writeResult({ recipe, built, version: archive.version, directory: target });
  report('tidying up');
  rmSync(base, { recursive: true, force: true });
  return result;
}

function makeTree(base: string, sourceDateSeconds: number, context: BuildContext): BuildTree {
  const tree = {
    source: path.join(base, 'source'),
    work: path.join(base, 'work'),
    output: path.join(base, 'output'),
  };
  for (const folder of [base, tree.work]) mkdirSync(folder, { recursive: true });
  // Only whole files may be in it: what an interrupted build copied there is copied again.
  if (existsSync(tree.output)) rmSync(tree.output, { recursive: true });
  mkdirSync(tree.output, { mode: 0o755 });
  const log = path.join(base, 'build.log');
  return {
    ...tree,
    sourceDateSeconds,
    jobs: context.jobs,
    report: context.report,
    run: async (argv, options = {}) => {
      await runLogged(argv, log, { ...options, hasSpace: () => hasSpace(base) });
    },
  };
}
