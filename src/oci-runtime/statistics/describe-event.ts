import type { ContainerStats } from '../../sandboxer/api-basics.ts';
import type { HostFigures } from './host-figures.ts';

/**
 * Figures of a container in the form of runc's `events`. CPU time, memory and processes are the container's own, as its guest
 * counts them; the times that it was held back are the host's, where the limit on CPU time is enforced. What no guest
 * counts is there and empty.
 */
export function describeStatistics(id: string, guest: ContainerStats, host: HostFigures): object {
  return {
    type: 'stats',
    id,
    data: {
      cpu: {
        usage: { total: guest.cpuUsageMicroseconds * 1000, kernel: 0, user: 0 },
        throttling: {
          periods: host.periods,
          throttledPeriods: host.throttledPeriods,
          throttledTime: host.throttledNanoseconds,
        },
      },
      cpuset: {},
      memory: {
        usage: {
          usage: guest.memoryBytes,
          max: guest.memoryPeakBytes,
          ...(guest.memoryLimitBytes > 0 && { limit: guest.memoryLimitBytes }),
          failcnt: 0,
        },
        swap: {},
        kernel: {},
        kernelTCP: {},
        raw: {},
      },
      pids: { current: guest.pids },
      blkio: {},
      hugetlb: {},
      intel_rdt: {},
      network_interfaces: null,
    },
  };
}

/** That memory ran out, in the guest or on the host. */
export function describeOutOfMemory(id: string): object {
  return { type: 'oom', id };
}
