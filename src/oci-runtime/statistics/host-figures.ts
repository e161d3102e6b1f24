import { readFileSync } from 'node:fs';

/** What a container's cgroup on the host knows and its guest does not: times that it was held back, and disks. */
export interface HostFigures {
  readonly throttledPeriods: number;
  readonly periods: number;
  readonly throttledNanoseconds: number;
  /** Times that something there was killed because the cgroup's memory was used up: the machine, then. */
  readonly outOfMemoryKills: number;
}

/** `find` gives the folder of a controller, or none. */
export function readHostFigures(find: (controller: string) => string | undefined): HostFigures {
  const cpu = readTable(`${find('cpu')}/cpu.stat`);
  const memory = find('memory');
  const events = readTable(`${memory}/memory.oom_control`, `${memory}/memory.events`);
  return {
    periods: cpu.get('nr_periods') ?? 0,
    throttledPeriods: cpu.get('nr_throttled') ?? 0,
    // Nanoseconds in version 1, microseconds in version 2.
    throttledNanoseconds: cpu.get('throttled_time') ?? (cpu.get('throttled_usec') ?? 0) * 1000,
    outOfMemoryKills: events.get('oom_kill') ?? 0,
  };
}

/** Lines of a word and a number, of the first file that is there. */
function readTable(...files: readonly string[]): Map<string, number> {
  for (const file of files) {
    try {
      const lines = readFileSync(file, 'utf8').split('\n');
      return new Map(lines.map((line) => [line.split(' ')[0] ?? '', Number(line.split(' ')[1])]));
    } catch {
      // ENOENT: the other version's, or a container without a cgroup
    }
  }
  return new Map();
}
