import { readFileSync, writeFileSync } from 'node:fs';
import type { BudgetReport } from './budgets/budget.ts';
import { formatBudgets } from './budgets/format-budgets.ts';
import { formatDensity } from './density/format-density.ts';
import type { DensityResult } from './density/measure-density.ts';
import { formatMachine, type MachineDescription, QUIET_LOAD } from './machine.ts';
import { isFailed } from './measure-rows.ts';
import type { Peers } from './peers/open-peers.ts';
import { formatParts, formatTable, type RowResult } from './table.ts';

/** Everything that a run has measured; as JSON it is a document of this shape. */
export interface Results {
  readonly version: 1;
  readonly machine: MachineDescription;
  readonly absentPeers: Peers['absent'];
  readonly rows: readonly RowResult[];
  readonly density?: DensityResult;
  readonly budgets?: BudgetReport;
}

export function formatResults(results: Results): string {
  const { machine, rows, density, budgets } = results;
  const parts = formatParts(rows);
  const notes = listNotes(results);
  const sections = [
    formatMachine(machine),
    ...(rows.length === 0 ? [] : [formatTable(rows)]),
    ...(parts.length === 0 ? [] : [['our medians in parts', ...parts].join('\n')]),
    ...(density === undefined ? [] : [formatDensity(density)]),
    ...(budgets === undefined ? [] : [formatBudgets(budgets)]),
    ...(notes.length === 0 ? [] : [notes.join('\n')]),
  ];
  return `${sections.join('\n\n')}\n`;
}

function listNotes({ machine, absentPeers, density, budgets }: Results): string[] {
  return [
    ...(machine.loadAverage > QUIET_LOAD
      ? ['the machine was not quiet: somebody else used it']
      : []),
    ...absentPeers.map(({ name, reason }) => `without ${name}: ${reason}`),
    ...(density?.omissions ?? []),
    ...(budgets?.omissions ?? []),
    ...(density?.excesses ?? []).map((excess) => `FAILED: ${excess}`),
  ];
}

/** True when something was not measured that should have been, or what was measured may not be so. */
export function haveFailed({ rows, density, budgets }: Results): boolean {
  const isDensityBad =
    density !== undefined &&
    (density.excesses.length > 0 || density.peers.some(({ failure }) => failure !== undefined));
  const figures = budgets?.results.flatMap((result) => result.figures) ?? [];
  const haveGaps = figures.some(({ failure }) => failure !== undefined);
  return rows.some(isFailed) || isDensityBad || haveGaps;
}

export function writeResults(filePath: string, results: Results): void {
  writeFileSync(filePath, `${JSON.stringify(results, undefined, 2)}\n`);
}

/** What `writeResults` wrote in an earlier run. */
export function readResults(filePath: string): Results {
  const results = JSON.parse(readFileSync(filePath, 'utf8')) as Partial<Results>;
  if (results.version !== 1 || !Array.isArray(results.rows)) {
    throw new Error(`${filePath} is not what --json writes`);
  }
  return results as Results;
}
