import type { GuestProcess, GuestScheduler } from '../guest-operations.ts';
import type { Linux, Process, Scheduler } from '../runtime-spec/types.ts';
import { invalid } from './unsupported.ts';

/** linux/sched.h: the place is the number; number 4 was never made. */
const POLICIES = ['OTHER', 'FIFO', 'RR', 'BATCH', undefined, 'IDLE', 'DEADLINE'].map(
  (name) => name && `SCHED_${name}`,
);

/** The place is the bit. */
const SCHEDULER_FLAGS = [
  ...['RESET_ON_FORK', 'RECLAIM', 'DL_OVERRUN', 'KEEP_POLICY', 'KEEP_PARAMS'],
  ...['UTIL_CLAMP_MIN', 'UTIL_CLAMP_MAX'],
].map((name) => `SCHED_FLAG_${name}`);

/** linux/ioprio.h: the place is the class. */
const IO_CLASSES = [undefined, 'IOPRIO_CLASS_RT', 'IOPRIO_CLASS_BE', 'IOPRIO_CLASS_IDLE'];
const IO_CLASS_SHIFT = 13;

/** linux/personality.h, as far as the specification names them. */
const PERSONALITIES: Readonly<Record<string, number>> = { LINUX: 0x0000, LINUX32: 0x0008 };

/** linux/threads.h, for x86_64: CONFIG_NR_CPUS is never larger. */
const MAXIMUM_CPUS = 8192;

/** How a process is served; `isExec` as for translateProcess. */
export function translateScheduling(
  process: Process,
  isExec: boolean,
): Pick<GuestProcess, 'scheduler' | 'ioPriority' | 'cpus'> {
  const { scheduler, ioPriority, execCPUAffinity } = process;
  return {
    ...(scheduler && { scheduler: translateScheduler(scheduler) }),
    ...(ioPriority && { ioPriority: translateIoPriority(ioPriority) }),
    // The processes that `initial` is for are not there: an exec is born into its cgroup.
    cpus: isExec ? parseCpuList(execCPUAffinity?.final ?? '') : [],
  };
}

function translateScheduler(scheduler: Scheduler): GuestScheduler {
  const path = 'process.scheduler';
  const policy = POLICIES.indexOf(scheduler.policy);
  if (policy < 0) throw invalid(`${path}.policy`, `is "${scheduler.policy}", not a policy`);
  const { nice = 0, priority = 0, runtime = 0n, deadline = 0n, period = 0n } = scheduler;
  if (priority < 0) throw invalid(`${path}.priority`, `is ${priority}, below 0`);
  const flags = (scheduler.flags ?? []).reduce((bits, flag, index) => {
    const bit = SCHEDULER_FLAGS.indexOf(flag);
    if (bit < 0) throw invalid(`${path}.flags[${index}]`, `is "${flag}", not a flag`);
    return bits | (1n << BigInt(bit));
  }, 0n);
  return {
    ...{ policy, flags, nice, priority },
    ...{ runtimeNanoseconds: runtime, deadlineNanoseconds: deadline, periodNanoseconds: period },
  };
}

function translateIoPriority({
  class: name,
  priority = 0,
}: NonNullable<Process['ioPriority']>): number {
  const number = IO_CLASSES.indexOf(name);
  if (number < 0) throw invalid('process.ioPriority.class', `is "${name}", not a class`);
  return (number << IO_CLASS_SHIFT) | priority;
}

/** The numbers in a list such as "0-3,7". */
function parseCpuList(text: string): number[] {
  const path = 'process.execCPUAffinity.final';
  const parts = text.split(',').map((part) => part.trim());
  return parts.flatMap((part) => {
    if (part === '') return [];
    const [, first = '', last = first] = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(part) ?? [];
    const count = Number(last) - Number(first) + 1;
    if (first === '' || count < 1 || Number(last) >= MAXIMUM_CPUS) {
      throw invalid(path, `is ${JSON.stringify(text)}, not a list of processors such as 0-3,7`);
    }
    return Array.from({ length: count }, (_, index) => Number(first) + index);
  });
}

/** The execution domain; undefined: as it is. Flags have no meaning yet, and the specification allows none. */
export function translatePersonality(
  personality: Linux['personality'],
): Pick<GuestProcess, 'personality'> {
  if (personality === undefined) return {};
  const { domain, flags = [] } = personality;
  const number = PERSONALITIES[domain];
  if (number === undefined) {
    throw invalid('linux.personality.domain', `is "${domain}", neither LINUX nor LINUX32`);
  }
  if (flags.length > 0) {
    throw invalid('linux.personality.flags', 'has flags, of which the specification knows none');
  }
  return { personality: number };
}
