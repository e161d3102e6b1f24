import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Cleanup } from '../../src/util/cleanup.ts';
import type { Bench } from '../rows/row.ts';
import { measureProcess, type Population, takeCensus } from './census.ts';
import type { DensityOptions } from './density-options.ts';
import { Fleet } from './fleet.ts';
import { type Merging, openMerging } from './merging.ts';
import { measurePeerDensity, type PeerDensity } from './peers.ts';
import { measureStartRates, type StartRate } from './start-rate.ts';
import { countLiving, findExcesses, type IdleLoad, type Step, summarizeStep } from './step.ts';
import { listWorkloads, type PreparedWorkload } from './workloads.ts';

/** One workload with merging off or on, at growing numbers of containers. */
export interface Series {
  readonly workload: string;
  readonly merging: boolean;
  readonly steps: readonly Step[];
}

export interface DensityResult {
  readonly series: readonly Series[];
  readonly peers: readonly PeerDensity[];
  readonly startRates: readonly StartRate[];
  /** What was left out, and why. */
  readonly omissions: readonly string[];
  /** What grows with every container and must not: with one of these the run has failed. */
  readonly excesses: readonly string[];
}

/** Until what the start has left behind (exiting helpers, late output, a pool that fills again) is gone. */
const QUIET_MS = 3_000;
const IDLE_WINDOW_MS = 30_000;
/** What stays free whatever we start: others live on this machine, too. */
const RESERVE_BYTES = 2 * 2 ** 30;
/** Before anything has been measured: more than a sandbox with Debian's QEMU takes. */
const FIRST_GUESS_BYTES = 100 * 2 ** 20;

/** Memory, threads, open files and idle load at growing numbers of containers; peers and starts per second beside. */
export async function measureDensity(
  plain: Bench,
  options: DensityOptions,
): Promise<DensityResult> {
  const bench = withPool(plain);
  const omissions: string[] = [];
  const series: Series[] = [];
  const cleanup = new Cleanup();
  try {
    const merging = openMerging(cleanup);
    if (merging.obstacle !== undefined) omissions.push(`without page merging: ${merging.obstacle}`);
    const workloads = await listWorkloads(bench, omissions);
    for (const isMerging of merging.obstacle === undefined ? [false, true] : [false]) {
      for (const workload of workloads) {
        const pass = new Pass(bench, { ...options, merging, isMerging, workload, omissions });
        series.push({ workload: workload.name, merging: isMerging, steps: await pass.measure() });
      }
    }
    if (merging.obstacle === undefined) merging.disable();
    const peers = await measurePeerDensity(bench, options);
    const startRates = await measureStartRates(bench, options);
    const excesses = series.flatMap(({ workload, steps }) =>
      findExcesses(steps).map((text) => `${workload}: ${text}`),
    );
    return { series, peers, startRates, omissions, excesses };
  } finally {
    for (const failure of await cleanup.run()) options.say(`not cleaned up: ${failure}`);
  }
}

/** As a user gets it: where the VMM can be forked every container is a fork of the one machine that waits. */
function withPool(bench: Bench): Bench {
  const variables = { WARDIAN_POOL_SIZE: '1' };
  return { ...bench, createCommands: (name) => bench.createCommands(name, variables) };
}

interface PassOptions extends DensityOptions {
  readonly merging: Merging;
  readonly isMerging: boolean;
  readonly workload: PreparedWorkload;
  /** Sentences are added to it. */
  readonly omissions: string[];
}

/** From the first to the last number of containers of one workload, in a sandboxer of its own. */
class Pass {
  readonly #bench: Bench;
  readonly #options: PassOptions;
  readonly #sharedBefore: number;

  constructor(bench: Bench, options: PassOptions) {
    this.#bench = bench;
    this.#options = options;
    const { merging, isMerging } = options;
    if (isMerging) merging.enable();
    else merging.disable();
    this.#sharedBefore = merging.readState()?.sharedPages ?? 0;
  }

  async measure(): Promise<Step[]> {
    const { workload, isMerging, say } = this.#options;
    const name = `${workload.name}${isMerging ? '-merging' : ''}`;
    const fleet = await Fleet.open(this.#bench, `density-${name}`, workload.prepare);
    const steps: Step[] = [];
    try {
      const counts = this.#options.counts.filter((count) => count <= workload.mostContainers);
      for (const count of counts) {
        if (!this.#hasRoom(count, fleet.size, steps)) break;
        say(`density: ${name}, ${count}`);
        const isLast = count === counts.at(-1);
        steps.push(await this.#measureStep(fleet, count, isLast));
      }
    } finally {
      await fleet.close();
    }
    return steps;
  }

  /** Says what is left out when the machine has too little memory. */
  #hasRoom(count: number, present: number, steps: readonly Step[]): boolean {
    const last = steps.at(-1);
    const each = last === undefined ? FIRST_GUESS_BYTES : (last.machineBytes / last.count) * 1.2;
    const needed = (count - present) * each + RESERVE_BYTES;
    const available = readAvailableBytes();
    if (needed <= available) return true;
    const { workload, omissions } = this.#options;
    const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
    omissions.push(
      `without ${count} × ${workload.name}: that needs ${gibibytes(needed)}, and ${gibibytes(available)} are free`,
    );
    return false;
  }

  async #measureStep(fleet: Fleet, count: number, isLast: boolean): Promise<Step> {
    const { workload, merging, isMerging, signal } = this.#options;
    await fleet.grow(countLiving({ count }), workload, signal);
    await delay(QUIET_MS, undefined, { signal });
    if (isMerging) await merging.settle(signal);
    const population = fleet.listPopulation();
    const step = summarizeStep(count, takeCensus(population), this.#countMergedBytes());
    return isLast ? { ...step, idle: await this.#measureIdle(population) } : step;
  }

  /** Of the whole host: what others merge meanwhile counts against us. */
  #countMergedBytes(): number {
    const state = this.#options.isMerging ? this.#options.merging.readState() : undefined;
    if (state === undefined) return 0;
    return Math.max(0, state.sharedPages - this.#sharedBefore) * state.pageBytes;
  }

  async #measureIdle({ sandboxer, machines, others }: Population): Promise<IdleLoad> {
    const { merging, isMerging, signal } = this.#options;
    const sum = (pids: readonly number[]): number =>
      pids.reduce((total, pid) => total + (measureProcess(pid)?.cpuMs ?? 0), 0);
    const take = () => ({
      machines: sum([...machines, ...others]),
      sandboxer: sum([sandboxer]),
      thread: merging.readState()?.threadCpuMs,
    });
    const startMs = performance.now();
    const before = take();
    await delay(IDLE_WINDOW_MS, undefined, { signal });
    const after = take();
    const elapsedMs = performance.now() - startMs;
    const percent = (from: number, to: number): number => ((to - from) / elapsedMs) * 100;
    return {
      machinesPercent: percent(before.machines, after.machines),
      sandboxerPercent: percent(before.sandboxer, after.sandboxer),
      ...(isMerging &&
        before.thread !== undefined &&
        after.thread !== undefined && { mergingPercent: percent(before.thread, after.thread) }),
    };
  }
}

function readAvailableBytes(): number {
  const text = readFileSync('/proc/meminfo', 'latin1');
  return Number(/^MemAvailable:\s*(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024;
}
