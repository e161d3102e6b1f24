import path from 'node:path';
import { findDirectories } from '../../src/host/directories.ts';
import { packagesStep } from '../setup/build-steps.ts';
import { explain } from '../support/explain.ts';
import { Progress } from '../support/progress.ts';
import { run } from '../support/run.ts';
import { ACCELERATORS, buildMissing } from './build-missing.ts';
import { buildsDirectory, listBuildRecords, pruneBuilds } from './manage-builds.ts';
import { chooseRecipes, WHAT } from './recipes.ts';

/**
 * What `wardian guest` does, once its arguments are known to be right:
 *   main.ts build kernel|qemu|all tcg|kvm|all
 *   main.ts list | prune [all]  prints JSON
 */
const FAILED = 125;
const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

const root = path.resolve(import.meta.dirname, '../..');
const { cache } = findDirectories(process.env, process.getuid?.() ?? -1);

async function main([verb, ...rest]: readonly string[]): Promise<void> {
  if (verb === 'build') return build(rest);
  const all = rest.includes('all');
  const records =
    verb === 'prune' ? await pruneBuilds(root, cache, { all }) : listBuildRecords(root, cache);
  process.stdout.write(`${JSON.stringify(records)}\n`);
}

async function build([whatText, acceleratorText]: readonly string[]): Promise<void> {
  const what = WHAT.find((known) => known === whatText) ?? 'all';
  const accelerator = ACCELERATORS.find((known) => known === acceleratorText) ?? 'all';
  const progress = new Progress(process.stderr, 'wardian: guest');
  const packages = packagesStep(root, 'build');
  if (!(await packages.isDone())) await progress.step(packages.title, packages.run);
  const recipes = chooseRecipes(root, what, accelerator);
  const built = await buildMissing(recipes, buildsDirectory(cache), progress);
  if (built === 0) progress.note('everything is built already');
  // Names the new files in the manifest and makes the first template of them.
  await progress.step('putting it to use', async (report) => {
    await run([path.join(root, 'scripts/setup.sh')], { directory: root, onLine: report });
  });
}

// An orderly exit, so that temporary files go; programs that we run are in our process group and end with us.
for (const [name, number] of Object.entries(SIGNALS))
  process.once(name, () => process.exit(128 + number));

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`wardian: guest: ${explain(error)}\n`);
  process.exitCode = FAILED;
});
