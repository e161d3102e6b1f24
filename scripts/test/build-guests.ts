import path from 'node:path';
import { findDirectories } from '../../src/host/directories.ts';
import { buildMissing } from '../guest/build-missing.ts';
import { buildsDirectory } from '../guest/manage-builds.ts';
import { listRecipes } from '../guest/recipes.ts';
import { packagesStep } from '../setup/build-steps.ts';
import { PackagesMissing } from '../support/debian.ts';
import { Progress } from '../support/progress.ts';
import { run } from '../support/run.ts';

/**
 * Builds whatever of `wardian guest build --accelerator all` is missing, with the packages that takes. Tests of what cannot be
 * built here, since only root can install compilers, skip themselves and say so.
 */
export async function buildGuests(root: string): Promise<void> {
  const { cache } = findDirectories(process.env, process.getuid?.() ?? -1);
  const progress = new Progress(process.stderr, 'test');
  const packages = packagesStep(root, 'build');
  try {
    if (!(await packages.isDone())) await progress.step(packages.title, packages.run);
  } catch (error) {
    if (!(error instanceof PackagesMissing)) throw error;
    progress.note(`kernels and QEMU are not built: ${error.message}`);
    return;
  }
  const recipes = listRecipes(root).map(({ recipe }) => recipe);
  const built = await buildMissing(recipes, buildsDirectory(cache), progress);
  if (built > 0) await run([path.join(root, 'scripts/setup.sh')], { directory: root });
}
