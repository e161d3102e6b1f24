import type { Census, ProcessCost } from './census.ts';

/** What so many idle containers cost, in bytes, all told once. */
export interface Step {
  readonly count: number;
  /** Private memory of the machines, helpers among them, for `count` containers. */
  readonly machineBytes: number;
  /** All that the sandboxer has in memory: on a host where nothing else runs on Node all of it would be private. */
  readonly sandboxerBytes: number;
  /** Guest memory of the template: all clones share it. */
  readonly templateBytes: number;
  /** Pages that the kernel has merged, each once. */
  readonly mergedBytes: number;
  /** Processes that are neither a container's machine nor the sandboxer. */
  readonly otherBytes: number;
  /** The same by proportional shares (PSS), programs and libraries included. */
  readonly proportionalBytes: number;
  /** Beside all that: the kernel's own. */
  readonly pageTableBytes: number;
  readonly sandboxerThreads: number;
  readonly sandboxerDescriptors: number;
  /** Of one machine, on average. */
  readonly machineThreads: number;
  /** Processor time in a second, in percent of one core; where it was measured. */
  readonly idle?: IdleLoad;
}

export interface IdleLoad {
  readonly machinesPercent: number;
  readonly sandboxerPercent: number;
  /** Percent of a core that the kernel's merging takes, where it merges. */
  readonly mergingPercent?: number;
}

/** With a single machine the kernel would call private what every further one shares with it. */
const LEAST_LIVING = 2;

/**
 * Costs of `count` containers, from machines of which at least two lived (`countLiving`).
 */
export function summarizeStep(count: number, census: Census, mergedBytes: number): Step {
  const { sandboxer, machines, others, templateBytes } = census;
  const perMachine = (pick: (cost: ProcessCost) => number): number =>
    sum(machines, pick) / machines.length;
  const everything = (pick: (cost: ProcessCost) => number): number =>
    pick(sandboxer) + perMachine(pick) * count + sum(others, pick);
  return {
    count,
    machineBytes: perMachine(({ privateBytes }) => privateBytes) * count,
    sandboxerBytes: sandboxer.residentBytes,
    templateBytes,
    mergedBytes,
    // What a stem shares with its forks is nobody's private memory: it counts here, once.
    otherBytes: sum(others, ({ privateBytes, anonymousBytes }) =>
      Math.max(privateBytes, anonymousBytes),
    ),
    proportionalBytes: everything(({ proportionalBytes }) => proportionalBytes) + templateBytes,
    pageTableBytes: everything(({ pageTableBytes }) => pageTableBytes),
    sandboxerThreads: sandboxer.threads,
    sandboxerDescriptors: sandboxer.descriptors,
    machineThreads: perMachine(({ threads }) => threads),
  };
}

/** Private memory of everything on the host for each container. */
export function computePerContainer(step: Step): number {
  const { machineBytes, sandboxerBytes, templateBytes, mergedBytes, otherBytes } = step;
  return (machineBytes + sandboxerBytes + templateBytes + mergedBytes + otherBytes) / step.count;
}

/** What the sandboxer needs for one more container: the slope between first and last step. */
export interface SandboxerGrowth {
  readonly bytes: number;
  readonly threads: number;
  readonly descriptors: number;
}

/** Undefined with fewer than two steps. */
export function computeGrowth(steps: readonly Step[]): SandboxerGrowth | undefined {
  const [first, last] = [steps[0], steps.at(-1)];
  if (first === undefined || last === undefined || last.count <= countLiving(first)) {
    return undefined;
  }
  const containers = last.count - countLiving(first);
  return {
    bytes: (last.sandboxerBytes - first.sandboxerBytes) / containers,
    threads: (last.sandboxerThreads - first.sandboxerThreads) / containers,
    descriptors: (last.sandboxerDescriptors - first.sandboxerDescriptors) / containers,
  };
}

/** The agent's socket and QEMU's; a log is open only while it grows. */
const MOST_DESCRIPTORS = 2;
/** Logs and connections that come and go. */
const DESCRIPTOR_SLACK = 4;

/** Sentences about what grows with every container and must not. */
export function findExcesses(steps: readonly Step[]): string[] {
  const [first, last] = [steps[0], steps.at(-1)];
  if (first === undefined || last === undefined || last === first) return [];
  const containers = last.count - countLiving(first);
  const threads = last.sandboxerThreads - first.sandboxerThreads;
  const descriptors = last.sandboxerDescriptors - first.sandboxerDescriptors;
  const where = `from ${first.count} to ${last.count} containers`;
  return [
    ...(threads > 0
      ? [`the sandboxer’s threads grew by ${threads} ${where}; none may be added`]
      : []),
    ...(descriptors > containers * MOST_DESCRIPTORS + DESCRIPTOR_SLACK
      ? [
          `the sandboxer’s open files grew by ${descriptors} ${where}; ${MOST_DESCRIPTORS} each may be added`,
        ]
      : []),
  ];
}

/** The step for one container has a second for company. */
export function countLiving({ count }: Pick<Step, 'count'>): number {
  return Math.max(count, LEAST_LIVING);
}

function sum(costs: readonly ProcessCost[], pick: (cost: ProcessCost) => number): number {
  return costs.reduce((total, cost) => total + pick(cost), 0);
}
