import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { withLock } from '../../src/host/lock.ts';
import type { Report } from '../support/progress.ts';
import { type BuildResult, contentKey, findBuild, writeResult } from './build-results.ts';
import { hasSpace, requireSpace } from './disk-space.ts';
import type { BuildTree, Recipe } from './recipe.ts';
import { runLogged } from './run-logged.ts';
import { fetchSource, unpackSource } from './source-package.ts';

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
