import {
  SECCOMP_OPERATORS,
  type Seccomp,
  type SeccompArgument,
  type SeccompSyscall,
} from '../../runtime-spec/types.ts';

/** A random number generator with a seed, so that a failure can be had again (mulberry32). */
export function createRandom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

type Random = (below: number) => number;

/** Values at the edges of both halves of a 64-bit argument, where a comparison may go wrong. */
export const EDGE_VALUES: readonly bigint[] = [
  ...[0n, 1n, 2n, 0x7fffffffn, 0x80000000n, 0xfffffffen, 0xffffffffn, 0x100000000n, 0x100000001n],
  ...[0x1ffffffffn, 0x200000000n, 0x7fffffffffffffffn, 0x8000000000000000n, 0xffffffff00000000n],
  ...[0xfffffffffffffffen, 0xffffffffffffffffn],
];

/** An action, with an errno where it has one. */
export function randomAction(random: Random): Pick<SeccompSyscall, 'action' | 'errnoRet'> {
  const errnoRet = 1 + random(130);
  const actions = [
    { action: 'SCMP_ACT_ERRNO', errnoRet },
    { action: 'SCMP_ACT_TRACE', errnoRet },
    ...(['ALLOW', 'LOG', 'TRAP', 'KILL', 'KILL_THREAD', 'KILL_PROCESS'] as const).map(
      (name) => ({ action: `SCMP_ACT_${name}` }) as const,
    ),
  ] as const;
  return actions[random(actions.length)] as (typeof actions)[number];
}

/** A profile of random rules over `names`. */
export function randomProfile(random: Random, names: readonly string[]): Seccomp {
  const pick = <T>(list: readonly T[]): T => list[random(list.length)] as T;
  const argument = (index: number): SeccompArgument => {
    const op = pick(SECCOMP_OPERATORS);
    const value = pick(EDGE_VALUES);
    const valueTwo = random(4) === 0 ? pick(EDGE_VALUES) : pick(EDGE_VALUES) & value;
    return { index, op, value, ...(op === 'SCMP_CMP_MASKED_EQ' ? { valueTwo } : {}) };
  };
  const syscall = (): SeccompSyscall => {
    const first = random(6);
    const count = random(3);
    return {
      names: Array.from({ length: 1 + random(8) }, () => pick(names)),
      ...randomAction(random),
      args: Array.from({ length: count }, (_, n) => argument((first + n) % 6)),
    };
  };
  return {
    defaultAction: pick(['SCMP_ACT_ALLOW', 'SCMP_ACT_ERRNO', 'SCMP_ACT_KILL_PROCESS'] as const),
    syscalls: Array.from({ length: random(120) }, syscall),
  };
}
