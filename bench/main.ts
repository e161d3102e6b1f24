import { setMaxListeners } from 'node:events';
import { writeFileSync } from 'node:fs';
import { Cleanup } from '../src/util/cleanup.ts';
import { findWorkspace, runInWorkspace, type Workspace } from './isolate.ts';
import { describeMachine, formatMachine, type MachineDescription, QUIET_LOAD } from './machine.ts';
import { measureInterleaved } from './measure.ts';
import { openBench } from './open-bench.ts';
import { formatHelp, type Options, parseOptions } from './options.ts';
import { installPeers } from './peers/install-peers.ts';
import { ALL_ROWS } from './rows/all-rows.ts';
import type { Bench, Row } from './rows/row.ts';
import { formatParts, formatTable, type RowResult } from './table.ts';

/** The slowest measurement, ten containers started one after the other, takes some seconds. */
const MEASUREMENT_TIMEOUT_MS = 120_000;
/** Engines go on cleaning up when their command has ended. */
const SETTLE_MS = 200;
const WARMUPS = 2;
const USAGE_EXIT_CODE = 125;

async function main(): Promise<number> {
  const names = ALL_ROWS.map(({ name }) => name);
  const options = parseOptions(process.argv.slice(2), names);
  if (options.help) {
    process.stdout.write(formatHelp(names));
    return 0;
  }
  const workspace = findWorkspace(process.env);
  if (workspace !== undefined) return await measureAll(options, workspace);
  if (options.installPeers) await installPeers((text) => say(`installing peers: ${text}`));
  return await runInWorkspace([process.execPath, ...process.execArgv, ...process.argv.slice(1)]);
}

/** Sets everything up, measures row by row, and takes everything down again whatever happens. */
async function measureAll(options: Options, workspace: Workspace): Promise<number> {
  const signal = abortOnInterrupt();
  const cleanup = new Cleanup();
  try {
    say('setting up');
    const bench = await openBench(workspace, signal, cleanup);
    const machine = await describeMachine(bench.library.accelerator);
    const results: RowResult[] = [];
    for (const row of chooseRows(options)) {
      results.push(await measureRow(row, bench, options.runs, signal));
    }
    print(results, machine, bench);
    if (options.jsonPath !== undefined) writeJson(options.jsonPath, results, machine, bench);
    return results.some(isFailed) ? 1 : 0;
  } finally {
    for (const failure of await cleanup.run()) say(`not cleaned up: ${failure}`);
  }
}

function chooseRows({ names }: Options): Row[] {
  return ALL_ROWS.filter(({ name }) => names.length === 0 || names.includes(name));
}

async function measureRow(
  row: Row,
  bench: Bench,
  runs: number,
  signal: AbortSignal,
): Promise<RowResult> {
  signal.throwIfAborted();
  say(row.name);
  const { name, title, unit, budget } = row;
  const head = { name, title, unit, ...(budget === undefined ? {} : { budget }) };
  const cleanup = new Cleanup();
  try {
    const contestants = await row.prepare(bench, cleanup);
    const measured = await measureInterleaved(contestants, {
      runs: Math.min(runs, row.mostRuns ?? runs),
      warmups: Math.min(WARMUPS, row.mostWarmups ?? WARMUPS),
      timeoutMs: MEASUREMENT_TIMEOUT_MS,
      settleMs: SETTLE_MS,
      signal,
    });
    return { ...head, measured };
  } catch (error) {
    signal.throwIfAborted();
    return { ...head, measured: [{ name: 'set-up', failure: describe(error) }] };
  } finally {
    for (const failure of await cleanup.run()) say(`${name}: not cleaned up: ${failure}`);
  }
}

function isFailed({ measured }: RowResult): boolean {
  return measured.some((one) => 'failure' in one);
}

function print(results: readonly RowResult[], machine: MachineDescription, { peers }: Bench): void {
  const notes = [
    ...(machine.loadAverage > QUIET_LOAD
      ? ['the machine was not quiet: somebody else used it']
      : []),
    ...peers.absent.map(({ name, reason }) => `without ${name}: ${reason}`),
  ];
  const parts = formatParts(results);
  const sections = [
    formatMachine(machine),
    formatTable(results),
    ...(parts.length === 0 ? [] : [['our medians in parts', ...parts].join('\n')]),
    ...(notes.length === 0 ? [] : [notes.join('\n')]),
  ];
  process.stdout.write(`${sections.join('\n\n')}\n`);
}

function writeJson(
  filePath: string,
  results: readonly RowResult[],
  machine: MachineDescription,
  { peers }: Bench,
): void {
  const document = { version: 1, machine, absentPeers: peers.absent, rows: results };
  writeFileSync(filePath, `${JSON.stringify(document, undefined, 2)}\n`);
}

/** The first signal ends the measurement in good order; a second one takes the usual way. */
function abortOnInterrupt(): AbortSignal {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal); // Whatever runs at once listens.
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(name, () => controller.abort(new Error(`interrupted by ${name}`)));
  }
  return controller.signal;
}

function say(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}

function describe(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

try {
  process.exitCode = await main();
} catch (error) {
  say(describe(error));
  process.exitCode = USAGE_EXIT_CODE;
}
