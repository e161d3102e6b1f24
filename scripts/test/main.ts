import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { findDirectories } from '../../src/host/directories.ts';
import { checkCheckout } from '../check-imports.ts';
import { packagesStep } from '../setup/build-steps.ts';
import { loadBuiltInImage } from '../setup/host-steps.ts';
import { CommandFailed, run } from '../support/run.ts';
import { buildGuests } from './build-guests.ts';
import { findLeftovers, observeMachine, RUN_VARIABLE } from './leftovers.ts';
import { findTests, runTests } from './node-tests.ts';
import { addTally, emptyTally, formatTally, type Tally } from './tally.ts';

/** The longest that one unit test may take: it is a hang, not a test, beyond that. */
const UNIT_TIMEOUT_MS = 120_000;
/** Compilers and linters; C tests with sanitizers are the slowest. */
const COMMAND_TIMEOUT_MS = 300_000;
/** Integration tests boot machines by emulation. */
const INTEGRATION_TIMEOUT_MS = 600_000;
/** Processes may take this long to leave after the last test. */
const LEAVING_MS = 20_000;
/** Unit tests wait more than they compute; machines compute all the time. */
const UNIT_CONCURRENCY = 2;
const INTEGRATION_CONCURRENCY = 1;

const root = path.resolve(import.meta.dirname, '../..');
const write = (text: string) => process.stdout.write(text);

interface Stage {
  readonly title: string;
  readonly kind: 'unit' | 'integration';
  run(): Promise<Tally>;
}

const STAGES: readonly Stage[] = [
  command('style', ['node_modules/.bin/biome', 'check', '--error-on-warnings', '.']),
  command('types', ['node_modules/.bin/tsc']),
  { title: 'house rules', kind: 'unit', run: checkHouseRules },
  command('agent unit tests', ['make', '-C', 'guest/agent', 'check']),
  command('launcher and stub unit tests', ['make', '-C', 'native', 'check']),
  tests('unit tests', 'unit', ['src', 'guest', 'scripts', 'bench']),
  tests('integration tests', 'integration', ['test']),
];

async function main(): Promise<void> {
  const wanted = process.argv[2];
  const stages = STAGES.filter((stage) => wanted === undefined || stage.kind === wanted);
  if (stages.length === 0) throw new Error(`no stage ${wanted}: unit or integration`);
  await installTestPackages();
  if (stages.some(({ kind }) => kind === 'integration')) await buildGuests(root);
  const total = await inPrivateFolders(async () => {
    const sum = emptyTally();
    for (const stage of stages) addTally(sum, await runStage(stage));
    return sum;
  });
  write(`${formatTally(total)}\n`);
  process.exitCode = total.failed === 0 ? 0 : 1;
}

/** Tests whose tools are missing skip themselves and say so. */
async function installTestPackages(): Promise<void> {
  const step = packagesStep(root, 'test');
  if (process.getuid?.() !== 0 || (await step.isDone())) return;
  write(`== ${step.title}\n`);
  await step.run(() => undefined);
}

/** Runs the tests with runtime, data and temporary folders of their own, and counts what they leave there. */
async function inPrivateFolders(action: () => Promise<Tally>): Promise<Tally> {
  // Directly below /tmp: paths of sockets may have 107 bytes.
  const directory = mkdtempSync('/tmp/wt-');
  const runId = randomBytes(8).toString('hex');
  const before = observeMachine();
  const folders = {
    WARDIAN_RUNTIME_DIR: path.join(directory, 'run'),
    WARDIAN_DATA_DIR: path.join(directory, 'data'),
    TMPDIR: path.join(directory, 'tmp'),
  };
  for (const folder of Object.values(folders)) mkdirSync(folder);
  Object.assign(process.env, folders, { [RUN_VARIABLE]: runId });
  try {
    const tally = await action();
    removeOwnFiles(folders);
    addTally(tally, await runStage(leftoversStage({ runId, directory, before })));
    return tally;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** What the run itself put there, and not a test: images, and tsx's cache of the TypeScript that ran. */
function removeOwnFiles(folders: { WARDIAN_DATA_DIR: string; TMPDIR: string }): void {
  const caches = readdirSync(folders.TMPDIR).filter((name) => name.startsWith('tsx-'));
  for (const folder of [
    folders.WARDIAN_DATA_DIR,
    ...caches.map((name) => path.join(folders.TMPDIR, name)),
  ]) {
    rmSync(folder, { recursive: true, force: true });
  }
  mkdirSync(folders.WARDIAN_DATA_DIR);
}

async function runStage(stage: Stage): Promise<Tally> {
  write(`== ${stage.title}\n`);
  const started = performance.now();
  const tally = await stage.run();
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  write(`== ${stage.title}: ${formatTally(tally)} (${seconds} s)\n`);
  return tally;
}

function command(title: string, argv: readonly string[]): Stage {
  return {
    title,
    kind: 'unit',
    run: async () => {
      try {
        await run(argv, { directory: root, timeoutMs: COMMAND_TIMEOUT_MS });
        return oneCheck([]);
      } catch (error) {
        if (!(error instanceof CommandFailed)) throw error;
        return oneCheck([error.message]);
      }
    },
  };
}

async function checkHouseRules(): Promise<Tally> {
  return oneCheck(checkCheckout(root));
}

function leftoversStage(query: Parameters<typeof findLeftovers>[0]): Stage {
  return {
    title: 'leftovers',
    kind: 'unit',
    run: async () => oneCheck(await findLeftovers(query, LEAVING_MS)),
  };
}

/** A stage that holds or does not, with its complaints. */
function oneCheck(complaints: readonly string[]): Tally {
  for (const complaint of complaints) write(`  ${complaint.replaceAll('\n', '\n  ')}\n`);
  const failed = complaints.length > 0 ? 1 : 0;
  return { passed: 1 - failed, failed, skipped: 0 };
}

function tests(title: string, kind: Stage['kind'], folders: readonly string[]): Stage {
  const isUnit = kind === 'unit';
  return {
    title,
    kind,
    run: async () => {
      if (!isUnit) await loadBuiltInImage(findDirectories(process.env, process.getuid?.() ?? -1));
      return runTests({
        root,
        files: findTests(root, folders),
        concurrency: isUnit ? UNIT_CONCURRENCY : INTEGRATION_CONCURRENCY,
        timeoutMs: isUnit ? UNIT_TIMEOUT_MS : INTEGRATION_TIMEOUT_MS,
        write,
      });
    },
  };
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
  process.exitCode = 1;
});
