import type { GuestKeyValue } from '../guest-operations.ts';
import type {
  BlockIoResources,
  CpuResources,
  MemoryResources,
  Resources,
} from '../runtime-spec/types.ts';
import { invalid, unsupported } from './unsupported.ts';

/** The kernel's own default, in microseconds. */
const DEFAULT_CPU_PERIOD = 100_000n;
const NO_LIMIT = 'max';

type Files = Map<string, string>;

/**
 * Turns linux.resources into files of the container's cgroup (version 2, Documentation/admin-guide/cgroup-v2.rst).
 * Passed over is what a guest has not: devices of the host, swap, huge pages. What of that can be limited on the host is
 * limited there, in the cgroup of the virtual machine.
 */
export function translateResources(resources: Resources): GuestKeyValue[] {
  const files: Files = new Map();
  addMemory(files, resources.memory ?? {});
  addCpu(files, resources.cpu ?? {});
  checkBlockIo(resources.blockIO ?? {});
  if (resources.pids !== undefined) files.set('pids.max', limit(positive(resources.pids.limit)));
  checkRdma(resources);
  checkNetwork(resources);
  addUnified(files, resources.unified ?? {});
  return [...files].map(([key, value]) => ({ key, value }));
}

function addMemory(files: Files, memory: MemoryResources): void {
  const path = 'linux.resources.memory';
  if (memory.disableOOMKiller === true) {
    throw unsupported(`${path}.disableOOMKiller`, 'cgroup version 2 has no such switch');
  }
  const maximum = positive(memory.limit);
  if (maximum !== undefined) files.set('memory.max', limit(maximum));
  const low = positive(memory.reservation);
  if (low !== undefined) files.set('memory.low', limit(low));
  checkSwap(positive(memory.swap), maximum, `${path}.swap`);
}

/** Memory and swap together, which is never less than memory alone. */
function checkSwap(total: bigint | undefined, memory: bigint | undefined, path: string): void {
  if (total === undefined || total < 0n) return;
  if (memory === undefined || memory < 0n) throw invalid(path, 'needs a limit on memory beside it');
  if (total < memory) throw invalid(path, `is ${total}, below the memory limit ${memory}`);
}

function addCpu(files: Files, cpu: CpuResources): void {
  const path = 'linux.resources.cpu';
  if ((cpu.realtimeRuntime ?? 0n) !== 0n || (cpu.realtimePeriod ?? 0n) !== 0n) {
    throw unsupported(path, 'cgroup version 2 has no real-time budget');
  }
  const shares = cpu.shares ?? 0n;
  if (shares !== 0n) files.set('cpu.weight', String(cpuWeight(shares)));
  const quota = positive(cpu.quota);
  const period = cpu.period === 0n ? undefined : cpu.period;
  if (quota !== undefined || period !== undefined) {
    files.set('cpu.max', `${limit(quota)} ${period ?? DEFAULT_CPU_PERIOD}`);
  }
  if ((cpu.burst ?? 0n) !== 0n) files.set('cpu.max.burst', String(cpu.burst));
  if (cpu.idle !== undefined) files.set('cpu.idle', String(cpu.idle));
  if (cpu.cpus !== undefined && cpu.cpus !== '') files.set('cpuset.cpus', cpu.cpus);
  if (cpu.mems !== undefined && cpu.mems !== '') files.set('cpuset.mems', cpu.mems);
}

/** Shares 2…262144 onto weights 1…10000, in the proportion that every engine uses. */
function cpuWeight(shares: bigint): bigint {
  const bounded = shares < 2n ? 2n : shares > 262_144n ? 262_144n : shares;
  return 1n + ((bounded - 2n) * 9999n) / 262_142n;
}

function checkBlockIo({ weight = 0 }: BlockIoResources): void {
  if (weight === 0 || weight >= 10) return;
  throw invalid('linux.resources.blockIO.weight', `is ${weight}, not 10 to 1000`);
}

function checkRdma({ rdma = {} }: Resources): void {
  if (Object.keys(rdma).length === 0) return;
  throw unsupported('linux.resources.rdma', 'it names devices of the host');
}

function checkNetwork({ network = {} }: Resources): void {
  const asks = (network.classID ?? 0) !== 0 || (network.priorities ?? []).length > 0;
  if (asks) throw unsupported('linux.resources.network', 'cgroup version 2 has no network classes');
}

/** `unified` comes last: what is said in version 2's own words wins. */
function addUnified(files: Files, unified: Record<string, string>): void {
  for (const [key, value] of Object.entries(unified)) {
    const path = `linux.resources.unified["${key}"]`;
    if (!/^[a-z][a-z0-9_]*(\.[A-Za-z0-9_]+)+$/.test(key))
      throw invalid(path, 'is not a cgroup file');
    // cgroup.procs and its like would move processes, among them those of the agent.
    if (key.startsWith('cgroup.')) throw unsupported(path, 'core files belong to the agent');
    files.set(key, value);
  }
}

/** 0 and absent mean "not set", in all engines; negative means no limit. */
function positive(value: bigint | undefined): bigint | undefined {
  return value === 0n ? undefined : value;
}

function limit(value: bigint | undefined): string {
  return value === undefined || value < 0n ? NO_LIMIT : String(value);
}
