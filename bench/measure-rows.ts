import { Cleanup } from '../src/util/cleanup.ts';
import { measureInterleaved } from './measure.ts';
import type { Bench, Row } from './rows/row.ts';
import type { RowResult } from './table.ts';

/** The slowest measurement, ten containers started one after the other, takes some seconds. */
const MEASUREMENT_TIMEOUT_MS = 120_000;
/** Engines go on cleaning up when their command has ended. */
const SETTLE_MS = 200;
const WARMUPS = 2;

export interface RowsOptions {
  readonly runs: number;
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
}

export async function measureRows(
  rows: readonly Row[],
  bench: Bench,
  options: RowsOptions,
): Promise<RowResult[]> {
  const results: RowResult[] = [];
  for (const row of rows) results.push(await measureRow(row, bench, options));
  return results;
}

async function measureRow(
  row: Row,
  bench: Bench,
  { runs, signal, say }: RowsOptions,
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

export function isFailed({ measured }: RowResult): boolean {
  return measured.some((one) => 'failure' in one);
}

function describe(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
