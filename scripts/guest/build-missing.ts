import { rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import type { Progress } from '../support/progress.ts';
import { findBuild } from './build-results.ts';
import { buildRecipe } from './build-support.ts';
import type { Recipe } from './recipe.ts';

export const ACCELERATORS = ['tcg', 'kvm', 'all'] as const;

/** Builds those of the recipes that have no result yet, one after the other; returns how many that were. */
export async function buildMissing(
  recipes: readonly Recipe[],
  buildDirectory: string,
  progress: Progress,
): Promise<number> {
  const missing = recipes.filter((recipe) => findBuild(buildDirectory, recipe) === undefined);
  for (const recipe of missing) {
    await progress.step(recipe.name.replace('-', ' '), async (report) => {
      await buildRecipe(recipe, { buildDirectory, jobs: availableParallelism(), report });
    });
  }
  // Kernels share an archive; whoever builds again wants the newest.
  if (missing.length > 0) {
    rmSync(path.join(buildDirectory, '.sources'), { recursive: true, force: true });
  }
  return missing.length;
}
