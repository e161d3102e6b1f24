import type { Measured } from '../measure.ts';
import type { Variant } from './variant.ts';

/** One promise: what is measured, and the most that it may be. */
export interface Budget {
  readonly name: string;
  readonly title: string;
  readonly unit: 'ms' | 'MiB' | '';
  /** Undefined where nothing is promised for this variant. */
  limit(variant: Variant): number | undefined;
}

/** In the order of the table; for 2 cores, without hardware virtualisation, medians on a quiet machine. */
export const BUDGETS = {
  clone: {
    name: 'clone',
    title: 'clone with all devices, to the agent’s answer',
    unit: 'ms',
    limit: ({ guest }) => (guest === 'mini' ? 20 : 36),
  },
  library: {
    name: 'library',
    title: 'library: create, run `true`, exit code, gone',
    unit: 'ms',
    limit: ({ pool }) => (pool ? 15 : 110),
  },
  run: {
    name: 'run',
    title: '`wardian run --rm busybox true`',
    unit: 'ms',
    limit: ({ pool }) => (pool ? 50 : 140),
  },
  exec: {
    name: 'exec',
    title: 'library: exec of `true` in a running container',
    unit: 'ms',
    limit: () => 6,
  },
  coldBoot: {
    name: 'cold boot',
    title: 'boot of a sandbox without a template, to the agent’s answer',
    unit: 'ms',
    limit: ({ guest }) => (guest === 'mini' ? 210 : undefined),
  },
  memory: {
    name: 'memory',
    title: 'private memory on the host per idle container, at 50',
    unit: 'MiB',
    limit: () => 18,
  },
  threads: {
    name: 'threads',
    title: 'threads of the sandboxer per further container',
    unit: '',
    limit: () => 0,
  },
  sandboxer: {
    name: 'sandboxer',
    title: 'memory of the sandboxer per further container',
    unit: 'MiB',
    limit: () => 0.3,
  },
} satisfies Record<string, Budget>;

/** A figure of ours or of a peer; only ours have limits. */
export interface BudgetFigure {
  readonly name: string;
  readonly value?: number;
  readonly limit?: number;
  readonly failure?: string;
}

export interface BudgetResult {
  readonly name: string;
  readonly title: string;
  readonly unit: Budget['unit'];
  readonly figures: readonly BudgetFigure[];
}

export interface BudgetReport {
  readonly results: readonly BudgetResult[];
  /** What was left out, and why. */
  readonly omissions: readonly string[];
}

/** The figure of a contestant: its median, or why it has none. */
export function toFigure(measured: Measured, limit: number | undefined): BudgetFigure {
  const head = { name: measured.name, ...(limit !== undefined && { limit }) };
  if ('failure' in measured) return { ...head, failure: measured.failure };
  return { ...head, value: measured.summary.median };
}

/** "met", or by how much not. Rounding does not decide. */
export function judge({ value, limit }: BudgetFigure, unit: string): string {
  if (value === undefined || limit === undefined) return '';
  if (value <= limit) return 'met';
  const over = `${formatValue(value - limit)}${unit === '' ? '' : ` ${unit}`}`;
  return limit === 0 ? `missed by ${over}` : `missed by ${over} (× ${(value / limit).toFixed(2)})`;
}

export function formatValue(value: number): string {
  return Math.abs(value) < 10 ? value.toFixed(2) : value.toFixed(1);
}
