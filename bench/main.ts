import { setMaxListeners } from 'node:events';
import { writeFileSync } from 'node:fs';
import { Cleanup } from '../src/util/cleanup.ts';
import { measureBudgets } from './budgets/measure-budgets.ts';
import { drawChart } from './chart/draw-chart.ts';
import { measureDensity } from './density/measure-density.ts';
import { rememberMerging } from './density/merging.ts';
import { findWorkspace, runInWorkspace, type Workspace } from './isolate.ts';
import { describeMachine } from './machine.ts';
import { measureRows } from './measure-rows.ts';
import { openBench } from './open-bench.ts';
import { formatHelp, type Options, parseOptions } from './options.ts';
import { installPeers } from './peers/install-peers.ts';
import { formatResults, haveFailed, type Results, readResults, writeResults } from './results.ts';
import { ALL_ROWS } from './rows/all-rows.ts';
import type { Bench, Row } from './rows/row.ts';

const REPORTS = ['density', 'budgets'];
const USAGE_EXIT_CODE = 125;

async function main(): Promise<number> {
  const rows = ALL_ROWS.map(({ name }) => name);
  const options = parseOptions(process.argv.slice(2), [...rows, ...REPORTS]);
  if (options.help) {
    process.stdout.write(formatHelp({ rows, reports: REPORTS }));
    return 0;
  }
  if (options.fromPath !== undefined) {
    writeChart(options, readResults(options.fromPath));
    return 0;
  }
  const workspace = findWorkspace(process.env);
  if (workspace !== undefined) return await measureAll(options, workspace);
  if (options.installPeers) await installPeers((text) => say(`installing peers: ${text}`));
  const restoreMerging = rememberMerging();
  try {
    return await runInWorkspace([process.execPath, ...process.execArgv, ...process.argv.slice(1)]);
  } finally {
    restoreMerging();
  }
}

/** Sets everything up, measures row by row, and takes everything down again whatever happens. */
async function measureAll(options: Options, workspace: Workspace): Promise<number> {
  const signal = abortOnInterrupt();
  const cleanup = new Cleanup();
  try {
    say('setting up');
    const bench = await openBench(workspace, signal, cleanup);
    const results = await measure(options, bench, signal);
    process.stdout.write(formatResults(results));
    if (options.jsonPath !== undefined) writeResults(options.jsonPath, results);
    writeChart(options, results);
    return haveFailed(results) ? 1 : 0;
  } finally {
    for (const failure of await cleanup.run()) say(`not cleaned up: ${failure}`);
  }
}

async function measure(options: Options, bench: Bench, signal: AbortSignal): Promise<Results> {
  const machine = await describeMachine(bench.library.accelerator);
  const { runs, counts, names } = options;
  const rows = await measureRows(chooseRows(options), bench, { runs, signal, say });
  const density = names.includes('density')
    ? await measureDensity(bench, { counts, signal, say })
    : undefined;
  const budgets = names.includes('budgets')
    ? await measureBudgets(bench, { runs, signal, say })
    : undefined;
  return {
    version: 1,
    machine,
    absentPeers: bench.peers.absent,
    rows,
    ...(density !== undefined && { density }),
    ...(budgets !== undefined && { budgets }),
  };
}

function chooseRows({ names }: Options): Row[] {
  return ALL_ROWS.filter(({ name }) => names.length === 0 || names.includes(name));
}

function writeChart({ chartPath }: Options, results: Results): void {
  if (chartPath !== undefined) writeFileSync(chartPath, drawChart(results));
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
