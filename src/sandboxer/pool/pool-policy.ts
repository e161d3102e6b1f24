/** What a pool may be at most. */
export interface PoolLimits {
  /** Members of each kind of machine. */
  readonly size: number;
  /** Of all members together. */
  readonly memoryBytes: number;
}

/** A machine that waits, as the policy sees it. */
export interface PoolMemberFacts {
  readonly id: string;
  /** Of the template: pair of guest and VMM, and size class. */
  readonly key: string;
  readonly bytes: number;
}

export interface PoolSituation {
  readonly limits: PoolLimits;
  /** Kinds that were asked for, latest first. */
  readonly recent: readonly string[];
  /** Kinds whose members are forked: one is enough. */
  readonly forked?: ReadonlySet<string>;
  readonly members: readonly PoolMemberFacts[];
  /** What one more member will probably take. */
  readonly expectedBytes: number;
  /** Memory that the host could still give to programs. */
  readonly availableBytes: number;
  /** Processes that want to run, for each CPU (load average of the last minute). */
  readonly loadPerCpu: number;
}

export interface PoolPlan {
  /** Ids of members that are to go. */
  readonly drop: readonly string[];
  /** The kind of which one is to be made next. */
  readonly make: string | undefined;
}

const MEBIBYTE = 2 ** 20;
/** A host that has less than this left needs it more than a start needs to be quick. */
export const SCARCE_BYTES = 256 * MEBIBYTE;
/** What must be left after a member was made: well above the other, so that none is made to be dropped. */
export const SPARE_BYTES = 768 * MEBIBYTE;
/** From here on a host is so far behind that work nobody has asked for has to wait. */
export const MAX_LOAD_PER_CPU = 16;

/**
 * Decides what a pool does next: memory goes to the kinds that were asked for last, each up to its number; what
 * is left of other kinds makes room. One member is made at a time.
 */
export function planPool(situation: PoolSituation): PoolPlan {
  const { limits, recent, forked, members, expectedBytes } = situation;
  if (situation.availableBytes < SCARCE_BYTES) {
    return { drop: members.map(({ id }) => id), make: undefined };
  }
  const kept = new Set<string>();
  const canMake = hasRoom(situation);
  let freeBytes = limits.memoryBytes;
  let make: string | undefined;
  for (const key of recent) {
    const waiting = members.filter((member) => member.key === key);
    const places = forked?.has(key) ? Math.min(1, limits.size) : limits.size;
    for (let place = 0; place < places; place += 1) {
      const member = waiting[place];
      const bytes = member?.bytes ?? expectedBytes;
      const isWanted = member !== undefined || (canMake && make === undefined);
      if (!isWanted || bytes > freeBytes) continue;
      freeBytes -= bytes;
      if (member === undefined) make = key;
      else kept.add(member.id);
    }
  }
  return { drop: members.map(({ id }) => id).filter((id) => !kept.has(id)), make };
}

function hasRoom({ availableBytes, expectedBytes, loadPerCpu }: PoolSituation): boolean {
  return availableBytes - expectedBytes >= SPARE_BYTES && loadPerCpu <= MAX_LOAD_PER_CPU;
}
