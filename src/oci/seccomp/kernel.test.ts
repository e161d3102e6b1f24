import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import type { Seccomp, SeccompSyscall } from '../runtime-spec/types.ts';
import { encodeProgram } from './bpf.ts';
import { compileSeccomp } from './compile.ts';
import { defaultSeccomp } from './default-profile.ts';
import { syscallNumber } from './syscalls.ts';
import { libseccompProgram, PYTHON, script, skipWithoutPython } from './testing/libseccomp.ts';
import { runProgram } from './testing/run-program.ts';
import { createRandom, EDGE_VALUES, randomAction } from './testing/samples.ts';

const X86_64 = 0xc000003e;
const EPERM = 1;
const EBADF = 9;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;

/** The errno that each call gives under the filter, in the kernel that runs this test. */
function tryFilter(profile: Seccomp, calls: readonly (readonly [string, ...number[]])[]): number[] {
  const hexadecimal = Buffer.from(encodeProgram(compileSeccomp(profile))).toString('hex');
  const words = calls.map(([name, ...args]) => [syscallNumber(name), ...args].join(','));
  const result = spawnSync(PYTHON, [script('try-filter.py'), hexadecimal, ...words], {
    encoding: 'utf8',
  });
  assert.equal(result.status, 0, result.stderr);
  return result.stdout.trim().split('\n').map(Number);
}

test('the kernel takes the default profile and denies what it denies', (context) => {
  if (skipWithoutPython(context)) return;
  const errnos = tryFilter(defaultSeccomp([]), [
    ['getpid'],
    ['keyctl', 0, 0, 0],
    ['bpf', 0, 0, 0],
    ['unshare', 0x10000000],
    ['clone3', 0, 0],
    ['socket', 40, 1, 0],
    ['socket', 1, 1, 0],
    ['clone', 0x10000011, 0, 0],
    ['close', 9999],
  ]);
  assert.deepEqual(errnos, [...[0, ENOSYS, EPERM, EPERM, ENOSYS, EAFNOSUPPORT, 0, EPERM, EBADF]]);
});

test('the kernel compares arguments as we mean it', (context) => {
  if (skipWithoutPython(context)) return;
  const profile: Seccomp = {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [
      {
        names: ['close'],
        action: 'SCMP_ACT_ERRNO',
        errnoRet: 71,
        args: [
          { index: 0, op: 'SCMP_CMP_GT', value: 5000n },
          { index: 1, op: 'SCMP_CMP_MASKED_EQ', value: 0x1_0000_0000n, valueTwo: 0x1_0000_0000n },
        ],
      },
    ],
  };
  const errnos = tryFilter(profile, [
    ['close', 5001, 0x1_0000_0000],
    ['close', 5000, 0x1_0000_0000],
    ['close', 5001, 0xffff_ffff],
  ]);
  assert.deepEqual(errnos, [71, EBADF, EBADF]);
});

test('libseccomp makes a filter of the same meaning', (context) => {
  if (skipWithoutPython(context)) return;
  const random = createRandom(42);
  const names = ['read', 'write', 'clone', 'socket', 'prctl', 'futex', 'mount'];
  for (let round = 0; round < 12; round++) {
    const profile = sampleProfile(random, names);
    const theirs = libseccompProgram(profile);
    if (theirs === undefined) return context.skip('needs the package python3-seccomp');
    const ours = compileSeccomp(profile);
    for (let call = 0; call < 400; call++) {
      const number = syscallNumber(names[random(names.length)] as string) as number;
      const args = Array.from({ length: 6 }, () => EDGE_VALUES[random(EDGE_VALUES.length)] ?? 0n);
      const data = { number, architecture: X86_64, args };
      assert.equal(
        runProgram(ours, data).value,
        runProgram(theirs, data).value,
        `round ${round}, call ${number}(${args})`,
      );
    }
  }
});

/**
 * One rule a call: libseccomp 2.5 merges the comparisons of several rules on one 64-bit argument and then
 * takes (a1 >= 2^32 or a1 < 2^33 and a2 = 0) to hold for a1 = 2^31, a2 = 1. Ours are checked against `evaluate`.
 */
function sampleProfile(random: (below: number) => number, names: string[]): Seccomp {
  const operators = ['NE', 'LT', 'LE', 'EQ', 'GE', 'GT', 'MASKED_EQ'] as const;
  const syscalls = names.map((name): SeccompSyscall => {
    const first = random(6);
    const args = Array.from({ length: 1 + random(3) }, (_, n) => {
      const value = EDGE_VALUES[random(EDGE_VALUES.length)] ?? 0n;
      const valueTwo = (EDGE_VALUES[random(EDGE_VALUES.length)] ?? 0n) & value;
      const op = `SCMP_CMP_${operators[random(operators.length)] as 'EQ'}` as const;
      return { index: (first + n) % 6, op, value, valueTwo };
    });
    return { names: [name], ...randomAction(random), args };
  });
  return { defaultAction: 'SCMP_ACT_ALLOW', syscalls };
}
