import type { Resources } from '../../oci/runtime-spec/types.ts';
import { addMemoryOverhead, addPidsOverhead } from './overhead.ts';

/** One limit, as one file of a cgroup. */
export interface CgroupWrite {
  readonly controller: string;
  /** The first that is there is written. */
  readonly files: readonly string[];
  readonly value: string;
  /** What was asked for, as config.json calls it. */
  readonly asked: string;
  /** Where the host does not have it, it is passed over: the guest carries it out, or no VMM uses it. */
  readonly isOptional?: boolean;
}

/** Limits of a container as the host enforces them; 0 and absent mean "not set", as in all engines. */
export function listHostLimits(resources: Resources, version: 1 | 2): CgroupWrite[] {
  const {
    shares = 0n,
    quota = 0n,
    period = 0n,
    burst = 0n,
    idle,
    cpus,
    mems,
  } = resources.cpu ?? {};
  const { limit = 0n, reservation = 0n, swap = 0n, swappiness } = resources.memory ?? {};
  const limits: Limits = {
    shares,
    quota,
    period,
    burst,
    idle,
    cpus,
    mems,
    memory: addMemoryOverhead(limit),
    hasMemory: limit !== 0n,
    reservation: addMemoryOverhead(reservation),
    hasReservation: reservation !== 0n,
    memoryAndSwap: addMemoryOverhead(swap),
    swap: swap < 0n || limit < 0n ? -1n : swap - limit,
    hasSwap: swap !== 0n,
    swappiness,
    pids: resources.pids?.limit ?? 0n,
    weight: resources.blockIO?.weight ?? 0,
  };
  const writes = version === 1 ? listVersion1(limits) : listVersion2(limits);
  return [...writes, ...listHugePages(resources, version), ...listUnified(resources, version)];
}

interface Limits {
  shares: bigint;
  quota: bigint;
  period: bigint;
  burst: bigint;
  idle: number | undefined;
  cpus: string | undefined;
  mems: string | undefined;
  memory: bigint;
  hasMemory: boolean;
  reservation: bigint;
  hasReservation: boolean;
  memoryAndSwap: bigint;
  swap: bigint;
  hasSwap: boolean;
  swappiness: number | undefined;
  pids: bigint;
  weight: number;
}

/** Documentation/admin-guide/cgroup-v1/. */
function listVersion1(limits: Limits): CgroupWrite[] {
  return present([
    limits.shares !== 0n && cpu('cpu.shares', limits.shares, 'shares'),
    limits.period !== 0n && cpu('cpu.cfs_period_us', limits.period, 'period'),
    limits.quota !== 0n && cpu('cpu.cfs_quota_us', limits.quota < 0n ? -1n : limits.quota, 'quota'),
    limits.burst !== 0n && cpu('cpu.cfs_burst_us', limits.burst, 'burst'),
    limits.idle !== undefined && cpu('cpu.idle', limits.idle, 'idle'),
    ...listCpuset(limits),
    limits.hasMemory && memory('memory.limit_in_bytes', limits.memory, 'limit'),
    limits.hasSwap && memory('memory.memsw.limit_in_bytes', limits.memoryAndSwap, 'swap'),
    limits.hasReservation &&
      memory('memory.soft_limit_in_bytes', limits.reservation, 'reservation'),
    limits.swappiness !== undefined && memory('memory.swappiness', limits.swappiness, 'swappiness'),
    ...listPids(limits),
    limits.weight !== 0 && {
      ...write('blkio', 'blkio.weight', limits.weight, 'blockIO.weight'),
      files: ['blkio.weight', 'blkio.bfq.weight'],
    },
  ]);
}

/** Documentation/admin-guide/cgroup-v2.rst. */
function listVersion2(limits: Limits): CgroupWrite[] {
  const { quota, period, weight } = limits;
  const hasCpuMaximum = quota !== 0n || period !== 0n;
  const cpuMaximum = `${quota > 0n ? quota : 'max'} ${period === 0n ? 100_000n : period}`;
  return present([
    limits.shares !== 0n && cpu('cpu.weight', toCpuWeight(limits.shares), 'shares'),
    hasCpuMaximum && cpu('cpu.max', cpuMaximum, quota === 0n ? 'period' : 'quota'),
    limits.burst !== 0n && cpu('cpu.max.burst', limits.burst, 'burst'),
    limits.idle !== undefined && cpu('cpu.idle', limits.idle, 'idle'),
    ...listCpuset(limits),
    limits.hasMemory && memory('memory.max', orMaximum(limits.memory), 'limit'),
    limits.hasSwap && memory('memory.swap.max', orMaximum(limits.swap), 'swap'),
    limits.hasReservation && memory('memory.low', orMaximum(limits.reservation), 'reservation'),
    ...listPids(limits),
    weight !== 0 && {
      ...write('io', 'io.weight', `default ${toIoWeight(weight)}`, 'blockIO.weight'),
      files: ['io.weight', 'io.bfq.weight'],
    },
  ]);
}

function listCpuset({ cpus, mems }: Limits): (CgroupWrite | false)[] {
  return [
    cpus !== undefined && cpus !== '' && write('cpuset', 'cpuset.cpus', cpus, 'cpu.cpus'),
    mems !== undefined && mems !== '' && write('cpuset', 'cpuset.mems', mems, 'cpu.mems'),
  ];
}

function listPids({ pids }: Limits): (CgroupWrite | false)[] {
  return [pids !== 0n && write('pids', 'pids.max', orMaximum(addPidsOverhead(pids)), 'pids.limit')];
}

/** No memory of a machine is in huge pages of that kind, so a host without them keeps the limit as well. */
function listHugePages(resources: Resources, version: 1 | 2): CgroupWrite[] {
  const suffix = version === 1 ? 'limit_in_bytes' : 'max';
  return (resources.hugepageLimits ?? []).map(({ pageSize, limit }) => ({
    ...write('hugetlb', `hugetlb.${pageSize}.${suffix}`, limit, 'hugepageLimits'),
    isOptional: true,
  }));
}

/** Version 2's own words, with the overhead on those that count it; a host of version 1 leaves them to the guest. */
function listUnified(resources: Resources, version: 1 | 2): CgroupWrite[] {
  if (version === 1) return [];
  return Object.entries(resources.unified ?? {}).map(([file, value]) => ({
    ...write(file.split('.')[0] ?? '', file, widen(file, value), `unified["${file}"]`),
    isOptional: file.startsWith('hugetlb.'),
  }));
}

function widen(file: string, value: string): string {
  if (!/^\d{1,19}$/.test(value)) return value;
  if (file === 'pids.max') return String(addPidsOverhead(BigInt(value)));
  const countsMemory = ['memory.max', 'memory.high', 'memory.low', 'memory.min'].includes(file);
  return countsMemory ? String(addMemoryOverhead(BigInt(value))) : value;
}

/** Shares 2 to 262144 onto weights 1 to 10000, in the proportion that every engine uses. */
function toCpuWeight(shares: bigint): bigint {
  const bounded = shares < 2n ? 2n : shares > 262_144n ? 262_144n : shares;
  return 1n + ((bounded - 2n) * 9999n) / 262_142n;
}

/** Weights 10 to 1000 onto 1 to 10000. */
function toIoWeight(weight: number): number {
  return 1 + Math.max(0, Math.floor(((weight - 10) * 9999) / 990));
}

function orMaximum(value: bigint): string {
  return value < 0n ? 'max' : String(value);
}

function cpu(file: string, value: bigint | number | string, asked: string): CgroupWrite {
  return write('cpu', file, value, `cpu.${asked}`);
}

function memory(file: string, value: bigint | number | string, asked: string): CgroupWrite {
  return write('memory', file, value, `memory.${asked}`);
}

function write(
  controller: string,
  file: string,
  ...rest: [bigint | number | string, string]
): CgroupWrite {
  const [value, asked] = rest;
  return { controller, files: [file], value: String(value), asked: `linux.resources.${asked}` };
}

function present(writes: (CgroupWrite | false)[]): CgroupWrite[] {
  return writes.filter((candidate) => candidate !== false);
}
