import { setTimeout as delay } from 'node:timers/promises';
import { takeCensus } from '../density/census.ts';
import { Fleet } from '../density/fleet.ts';
import { measurePeerDensity } from '../density/peers.ts';
import { computeGrowth, computePerContainer, type Step, summarizeStep } from '../density/step.ts';
import type { Bench } from '../rows/row.ts';
import { IDLE_COMMAND, IMAGE } from '../wardian.ts';
import { BUDGETS, type Budget, type BudgetFigure, type BudgetResult } from './budget.ts';
import { nameVariant, type OpenVariant } from './variant.ts';

interface MemoryOptions {
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
}

const COUNTS = [10, 50];
const QUIET_MS = 3_000;
const MEBIBYTE = 2 ** 20;
const WORKLOAD = { name: 'busybox', image: IMAGE, command: IDLE_COMMAND };

type Growing = Pick<Budget, 'name' | 'title' | 'unit' | 'limit'>;

/** Memory at 50 containers, and what the sandboxer needs for each further one. */
export async function measureMemoryBudgets(
  bench: Bench,
  variants: readonly OpenVariant[],
  options: MemoryOptions,
): Promise<BudgetResult[]> {
  const steps = new Map<OpenVariant, readonly Step[] | string>();
  for (const variant of variants) {
    options.say(`budgets: memory, ${nameVariant(variant)}`);
    steps.set(variant, await measureSteps(variant, options));
  }
  const density = await measurePeerDensity(bench, { ...options, counts: COUNTS });
  const peers = density.map(({ name, points, failure }): BudgetFigure => {
    const last = points.at(-1);
    if (last === undefined) return { name, failure: failure ?? 'nothing was measured' };
    return { name: `${name}, at ${last.count}`, value: last.perContainerBytes / MEBIBYTE };
  });
  const judgeAll = (budget: Growing, pick: (own: readonly Step[]) => number): BudgetFigure[] =>
    variants.map((variant) => describe(variant, { budget, pick, own: steps.get(variant) }));
  return [
    toResult(BUDGETS.memory, [
      ...judgeAll(BUDGETS.memory, (own) => computePerContainer(own.at(-1) as Step) / MEBIBYTE),
      ...peers,
    ]),
    toResult(
      BUDGETS.threads,
      judgeAll(BUDGETS.threads, (own) => computeGrowth(own)?.threads ?? 0),
    ),
    toResult(
      BUDGETS.sandboxer,
      judgeAll(BUDGETS.sandboxer, (own) => (computeGrowth(own)?.bytes ?? 0) / MEBIBYTE),
    ),
  ];
}

interface Judgement {
  readonly budget: Growing;
  readonly pick: (own: readonly Step[]) => number;
  readonly own: readonly Step[] | string | undefined;
}

function describe(variant: OpenVariant, { budget, pick, own }: Judgement): BudgetFigure {
  const name = nameVariant(variant);
  if (own === undefined || typeof own === 'string') return { name, failure: own ?? '' };
  const limit = budget.limit(variant);
  return { name, value: pick(own), ...(limit !== undefined && { limit }) };
}

function toResult({ name, title, unit }: Growing, figures: readonly BudgetFigure[]): BudgetResult {
  return { name, title, unit, figures };
}

/** The steps, or why there are none. */
async function measureSteps(
  { bench }: OpenVariant,
  { signal }: MemoryOptions,
): Promise<readonly Step[] | string> {
  try {
    const fleet = await Fleet.open(bench, 'budgets', async () => {});
    try {
      const steps: Step[] = [];
      for (const count of COUNTS) {
        await fleet.grow(count, WORKLOAD, signal);
        await delay(QUIET_MS, undefined, { signal });
        steps.push(summarizeStep(count, takeCensus(fleet.listPopulation()), 0));
      }
      return steps;
    } finally {
      await fleet.close();
    }
  } catch (error) {
    signal.throwIfAborted();
    return error instanceof Error ? error.message : String(error);
  }
}
