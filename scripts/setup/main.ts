import path from 'node:path';
import { findDirectories } from '../../src/host/directories.ts';
import { explain } from '../support/explain.ts';
import { Progress } from '../support/progress.ts';
import { buildSteps, type Step, sealBuild } from './build-steps.ts';
import { hostSteps } from './host-steps.ts';

/**
 * Makes a checkout ready to run: Debian packages, code generation, agent, launcher, bundles (all in the
 * checkout), then kernel, initramfs, the built-in image and the first template (all in the user's folders).
 * Every step knows whether it is done, so an interrupted or repeated set-up does only what is missing.
 */
const SETUP_FAILED = 125;
const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

async function main(): Promise<void> {
  const root = path.resolve(import.meta.dirname, '../..');
  const directories = findDirectories(process.env, process.getuid?.() ?? -1);
  const onlyBuild = process.argv.includes('--build');
  const progress = new Progress(process.stderr, 'wardian: set-up');
  const startedAt = new Date();
  await runSteps(buildSteps(root), progress);
  sealBuild(root, startedAt);
  if (!onlyBuild) await runSteps(hostSteps(root, directories), progress);
}

async function runSteps(steps: readonly Step[], progress: Progress): Promise<void> {
  for (const step of steps) {
    if (!(await step.isDone())) await progress.step(step.title, step.run);
  }
}

// An orderly exit, so that temporary files go; programs that we run are in our process group and end with us.
for (const [name, number] of Object.entries(SIGNALS))
  process.once(name, () => process.exit(128 + number));

main().catch((error: unknown) => {
  process.stderr.write(`wardian: set-up failed: ${explain(error)}\n`);
  process.exitCode = SETUP_FAILED;
});
