import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { bootSandboxMachine } from '../../src/template/clone.ts';
import { chooseSizeClass } from '../../src/template/size-class.ts';
import { Cleanup } from '../../src/util/cleanup.ts';
import { type Contestant, type Measured, measureInterleaved, type Sample } from '../measure.ts';
import type { PeerName } from '../peers/open-peers.ts';
import { measureClone } from '../rows/clone.ts';
import { measureExec } from '../rows/exec.ts';
import { measureLife } from '../rows/library.ts';
import { type Bench, execPeers, runPeers } from '../rows/row.ts';
import { waitForCommandsPool, waitForLibraryPool } from '../wait-for-pool.ts';
import { createId, IMAGE, startIdle } from '../wardian.ts';
import { BUDGETS, type Budget, type BudgetReport, type BudgetResult, toFigure } from './budget.ts';
import { measureMemoryBudgets } from './memory-budgets.ts';
import { nameVariant, type OpenVariant, openVariants } from './variant.ts';

export interface BudgetOptions {
  readonly runs: number;
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
}

const MEASUREMENT_TIMEOUT_MS = 120_000;
const SETTLE_MS = 200;
const WARMUPS = 2;

/** All promises, for each guest, with a pool and without, and the peers in the same rounds. */
export async function measureBudgets(bench: Bench, options: BudgetOptions): Promise<BudgetReport> {
  const omissions: string[] = [];
  const cleanup = new Cleanup();
  try {
    options.say('budgets: opening the variants');
    const variants = await openVariants(bench, cleanup, omissions);
    const cold = variants.filter(({ pool }) => !pool);
    const race = new Race(bench, options);
    const results = [
      await race.run(BUDGETS.clone, cold, measureCloneOf),
      await race.run(BUDGETS.library, variants, measureLifeOf, ['runsc', 'crun', 'runc']),
      await race.run(BUDGETS.run, variants, measureRunOf, ['podman', 'containerd', 'runsc']),
      await race.runExec(BUDGETS.exec, cold),
      await race.run(BUDGETS.coldBoot, cold, measureBootOf),
      ...(await measureMemoryBudgets(bench, variants, options)),
    ];
    return { results, omissions };
  } finally {
    for (const failure of await cleanup.run()) options.say(`budgets: not cleaned up: ${failure}`);
  }
}

/** What is measured of one variant; the promise is for the step that is made once it is ready. */
type Preparation = (variant: OpenVariant) => Promise<() => Promise<Sample>>;

/** Measures all variants and peers in turns. */
class Race {
  readonly #bench: Bench;
  readonly #options: BudgetOptions;

  constructor(bench: Bench, options: BudgetOptions) {
    this.#bench = bench;
    this.#options = options;
  }

  async run(
    budget: Budget,
    variants: readonly OpenVariant[],
    ...[prepare, peers = []]: [Preparation, (readonly PeerName[])?]
  ): Promise<BudgetResult> {
    this.#options.say(`budgets: ${budget.name}`);
    const ours = await Promise.all(variants.map((variant) => toContestant(variant, prepare)));
    return await this.#measure(budget, variants, [...ours, ...runPeers(this.#bench, peers)]);
  }

  /** In containers that run already, which end with it. */
  async runExec(budget: Budget, variants: readonly OpenVariant[]): Promise<BudgetResult> {
    this.#options.say(`budgets: ${budget.name}`);
    const cleanup = new Cleanup();
    try {
      const prepare: Preparation = async ({ bench: { library } }) => {
        const container = await startIdle(library);
        cleanup.defer('container', () => library.sandboxer.remove(container.state.id, true, 0));
        return () => measureExec(library, container);
      };
      const ours = await Promise.all(variants.map((variant) => toContestant(variant, prepare)));
      const peers = await execPeers(this.#bench, ['podman', 'runsc', 'crun', 'runc'], cleanup);
      return await this.#measure(budget, variants, [...ours, ...peers]);
    } finally {
      for (const failure of await cleanup.run()) this.#options.say(`not cleaned up: ${failure}`);
    }
  }

  async #measure(
    budget: Budget,
    variants: readonly OpenVariant[],
    contestants: readonly Contestant[],
  ): Promise<BudgetResult> {
    const measured = await measureInterleaved(contestants, {
      runs: this.#options.runs,
      warmups: WARMUPS,
      timeoutMs: MEASUREMENT_TIMEOUT_MS,
      settleMs: SETTLE_MS,
      signal: this.#options.signal,
    });
    const figures = measured.map((one: Measured, index) => {
      const variant = variants[index]; // ours come first
      return toFigure(one, variant === undefined ? undefined : budget.limit(variant));
    });
    const { name, title, unit } = budget;
    return { name, title, unit, figures };
  }
}

/** One that cannot be prepared fails alone. */
async function toContestant(variant: OpenVariant, prepare: Preparation): Promise<Contestant> {
  const name = nameVariant(variant);
  try {
    return { name, measure: await prepare(variant) };
  } catch (error) {
    return { name, measure: () => Promise.reject(error) };
  }
}

const measureCloneOf: Preparation = async ({ bench }) => {
  return () => measureClone(bench);
};

/** The first life tells the pool what is in demand. */
const measureLifeOf: Preparation = async (variant) => {
  const { library } = variant.bench;
  await measureLife(library, true);
  return async () => {
    await waitForLibraryPool(variant);
    return await measureLife(library, true);
  };
};

const measureRunOf: Preparation = async (variant) => {
  const { bench, commands } = variant;
  const runner = bench.createRunner(commands);
  const argv = commands.run('--rm', IMAGE, 'true');
  await runner.time(argv);
  return async () => {
    await waitForCommandsPool(variant);
    return { value: await runner.time(argv) };
  };
};

const measureBootOf: Preparation = async ({ bench }) => {
  return () => measureBoot(bench);
};

async function measureBoot({ library, directory }: Bench): Promise<Sample> {
  const { driver, guest } = await library.services.pairs.choose();
  const place = path.join(directory, 'boot');
  await mkdir(place, { mode: 0o711 });
  try {
    const startMs = performance.now();
    const size = chooseSizeClass({});
    const request = { driver, guest, size, id: createId(), directory: place };
    const { machine, agent } = await bootSandboxMachine(request);
    try {
      await agent.ping();
      return { value: performance.now() - startMs };
    } finally {
      agent.close();
      await machine.kill();
    }
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}
