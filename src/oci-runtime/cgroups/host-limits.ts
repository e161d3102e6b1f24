import type { CpuResources, Resources } from '../../oci/runtime-spec/types.ts';
import { WardianError } from '../../util/errors.ts';
import { addMemoryOverhead, raisePidsLimit } from './overhead.ts';

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
  checkMemory(resources);
  const writes = version === 1 ? listVersion1(resources) : listVersion2(resources);
  return [...writes, ...listHugePages(resources, version), ...listUnified(resources, version)];
}

/** -1 is no limit; other negative numbers mean nothing, and version 1 refuses them while version 2 has no word for them. */
function checkMemory({ memory = {} }: Resources): void {
  for (const name of ['limit', 'swap', 'reservation'] as const) {
    const value = memory[name] ?? 0n;
    if (value >= -1n) continue;
    throw new WardianError(
      'SPEC_INVALID',
      `linux.resources.memory.${name} is ${value}, neither a number of bytes nor -1`,
      { hint: 'give a size, or -1 for no limit' },
    );
  }
}

/** Documentation/admin-guide/cgroup-v1/. */
function listVersion1(resources: Resources): CgroupWrite[] {
  const { cpu = {}, memory = {} } = resources;
  return [
    ...whenSet(cpu.shares, (shares) => write('cpu.shares', shares, 'cpu.shares')),
    ...whenSet(cpu.period, (period) => write('cpu.cfs_period_us', period, 'cpu.period')),
    ...whenSet(cpu.quota, (quota) =>
      write('cpu.cfs_quota_us', quota < 0n ? -1 : quota, 'cpu.quota'),
    ),
    ...whenSet(cpu.burst, (burst) => write('cpu.cfs_burst_us', burst, 'cpu.burst')),
    ...listCpuset(resources),
    ...whenSet(memory.limit, (limit) =>
      write('memory.limit_in_bytes', addMemoryOverhead(limit), 'memory.limit'),
    ),
    ...whenSet(memory.swap, (swap) =>
      write('memory.memsw.limit_in_bytes', addMemoryOverhead(swap), 'memory.swap'),
    ),
    ...whenSet(memory.reservation, (bytes) =>
      write('memory.soft_limit_in_bytes', addMemoryOverhead(bytes), 'memory.reservation'),
    ),
    ...whenGiven(memory.swappiness, (value) =>
      write('memory.swappiness', value, 'memory.swappiness'),
    ),
    ...listPids(resources),
    ...listWeight(resources, ['blkio.weight', 'blkio.bfq.weight'], String),
  ];
}

/** Documentation/admin-guide/cgroup-v2.rst. */
function listVersion2(resources: Resources): CgroupWrite[] {
  const { cpu = {}, memory = {} } = resources;
  return [
    ...whenSet(cpu.shares, (shares) => write('cpu.weight', toCpuWeight(shares), 'cpu.shares')),
    ...whenSet(cpu.quota ?? cpu.period, () => write('cpu.max', toCpuMaximum(cpu), 'cpu.quota')),
    ...whenSet(cpu.burst, (burst) => write('cpu.max.burst', burst, 'cpu.burst')),
    ...listCpuset(resources),
    ...whenSet(memory.limit, (limit) =>
      write('memory.max', orMaximum(addMemoryOverhead(limit)), 'memory.limit'),
    ),
    ...whenSet(memory.swap, (swap) => {
      const limit = memory.limit ?? 0n;
      return write('memory.swap.max', orMaximum(limit < 0n ? -1n : swap - limit), 'memory.swap');
    }),
    ...whenSet(memory.reservation, (bytes) =>
      write('memory.low', orMaximum(addMemoryOverhead(bytes)), 'memory.reservation'),
    ),
    ...listPids(resources),
    ...listWeight(resources, ['io.weight', 'io.bfq.weight'], toIoWeight),
  ];
}

function toCpuMaximum({ quota = 0n, period = 0n }: CpuResources): string {
  return `${quota > 0n ? quota : 'max'} ${period === 0n ? 100_000n : period}`;
}

function listCpuset({ cpu = {} }: Resources): CgroupWrite[] {
  return [
    ...whenGiven(cpu.idle, (idle) => write('cpu.idle', idle, 'cpu.idle')),
    ...whenGiven(cpu.cpus || undefined, (cpus) => write('cpuset.cpus', cpus, 'cpu.cpus')),
    ...whenGiven(cpu.mems || undefined, (mems) => write('cpuset.mems', mems, 'cpu.mems')),
  ];
}

function listPids({ pids }: Resources): CgroupWrite[] {
  return whenSet(pids?.limit, (limit) =>
    write('pids.max', orMaximum(raisePidsLimit(limit)), 'pids.limit'),
  );
}

function listWeight(
  { blockIO = {} }: Resources,
  files: readonly string[],
  convert: (weight: number) => string,
): CgroupWrite[] {
  return whenGiven(blockIO.weight || undefined, (weight) => ({
    ...write(files[0] as string, convert(weight), 'blockIO.weight'),
    files,
  }));
}

/** No memory of a machine is in huge pages of that kind, so a host without them keeps the limit as well. */
function listHugePages(resources: Resources, version: 1 | 2): CgroupWrite[] {
  const suffix = version === 1 ? 'limit_in_bytes' : 'max';
  return (resources.hugepageLimits ?? []).map(({ pageSize, limit }) => ({
    ...write(`hugetlb.${pageSize}.${suffix}`, limit, 'hugepageLimits'),
    isOptional: true,
  }));
}

/** Version 2's own words, with the overhead on those that count it; a host of version 1 leaves them to the guest. */
function listUnified(resources: Resources, version: 1 | 2): CgroupWrite[] {
  if (version === 1) return [];
  return Object.entries(resources.unified ?? {}).map(([file, value]) => ({
    ...write(file, widen(file, value), `unified["${file}"]`),
    isOptional: file.startsWith('hugetlb.'),
  }));
}

function widen(file: string, value: string): string {
  if (!/^\d{1,19}$/.test(value)) return value;
  if (file === 'pids.max') return String(raisePidsLimit(BigInt(value)));
  const countsMemory = ['memory.max', 'memory.high', 'memory.low', 'memory.min'].includes(file);
  return countsMemory ? String(addMemoryOverhead(BigInt(value))) : value;
}

/** Shares 2 to 262144 onto weights 1 to 10000, in the proportion that every engine uses. */
function toCpuWeight(shares: bigint): bigint {
  const bounded = shares < 2n ? 2n : shares > 262_144n ? 262_144n : shares;
  return 1n + ((bounded - 2n) * 9999n) / 262_142n;
}

/** Weights 10 to 1000 onto 1 to 10000. */
function toIoWeight(weight: number): string {
  return `default ${1 + Math.max(0, Math.floor(((weight - 10) * 9999) / 990))}`;
}

function orMaximum(value: bigint): string {
  return value < 0n ? 'max' : String(value);
}

function write(file: string, value: bigint | number | string, asked: string): CgroupWrite {
  const controller = file.slice(0, file.indexOf('.'));
  return { controller, files: [file], value: String(value), asked: `linux.resources.${asked}` };
}

function whenSet(value: bigint | undefined, make: (value: bigint) => CgroupWrite): CgroupWrite[] {
  return value === undefined || value === 0n ? [] : [make(value)];
}

function whenGiven<T>(value: T | undefined, make: (value: T) => CgroupWrite): CgroupWrite[] {
  return value === undefined ? [] : [make(value)];
}
