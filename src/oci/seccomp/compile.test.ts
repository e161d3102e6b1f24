import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Seccomp, SeccompAction } from '../runtime-spec/types.ts';
import { SECCOMP_RETURN } from './actions.ts';
import { compileSeccomp, seccompFlags } from './compile.ts';
import { collectRules, evaluate } from './rules.ts';
import { LAST_SYSCALL, syscallNumber } from './syscalls.ts';
import { runProgram } from './testing/run-program.ts';
import { createRandom, EDGE_VALUES, randomProfile } from './testing/samples.ts';

const X86_64 = 0xc000003e;
const I386 = 0x40000003;
const ENOSYS = SECCOMP_RETURN.ERRNO | 38;
const EPERM = SECCOMP_RETURN.ERRNO | 1;

const NAMES = [
  ...['read', 'write', 'open', 'clone', 'socket', 'personality', 'mount', 'bpf', 'clone3'],
  ...['futex', 'prctl', 'ioctl', 'openat2', 'mseal', 'removexattrat', 'arm_fadvise64_64'],
];

function verdict(profile: Seccomp, number: number, args: bigint[] = [], architecture = X86_64) {
  return runProgram(compileSeccomp(profile), { number, architecture, args }).value;
}

test('random profiles decide as their rules say, for random calls and edge arguments', () => {
  const random = createRandom(20261121);
  for (let round = 0; round < 150; round++) {
    const profile = randomProfile(random, NAMES);
    const program = compileSeccomp(profile);
    const rules = collectRules(profile);
    for (let call = 0; call < 200; call++) {
      const name = NAMES[random(NAMES.length)] as string;
      const number = random(3) === 0 ? random(LAST_SYSCALL + 1) : (syscallNumber(name) ?? 0);
      const args = Array.from({ length: 6 }, () => EDGE_VALUES[random(EDGE_VALUES.length)] ?? 0n);
      const { value } = runProgram(program, { number, architecture: X86_64, args });
      const context = `round ${round}, call ${number}(${args})`;
      assert.equal(value, evaluate(rules, number, args), context);
    }
  }
});

test('each comparison holds for exactly the right pairs of 64-bit numbers', () => {
  const expected = {
    SCMP_CMP_EQ: (a: bigint, b: bigint) => a === b,
    SCMP_CMP_NE: (a: bigint, b: bigint) => a !== b,
    SCMP_CMP_LT: (a: bigint, b: bigint) => a < b,
    SCMP_CMP_LE: (a: bigint, b: bigint) => a <= b,
    SCMP_CMP_GT: (a: bigint, b: bigint) => a > b,
    SCMP_CMP_GE: (a: bigint, b: bigint) => a >= b,
    SCMP_CMP_MASKED_EQ: (a: bigint, b: bigint) => (a & b) === 1n,
  };
  for (const [op, holds] of Object.entries(expected) as [keyof typeof expected, never][]) {
    for (const value of EDGE_VALUES) {
      const program = compileSeccomp({
        defaultAction: 'SCMP_ACT_ERRNO',
        syscalls: [
          {
            names: ['read'],
            action: 'SCMP_ACT_ALLOW',
            args: [{ index: 5, op, value, valueTwo: 1n }],
          },
        ],
      });
      for (const argument of EDGE_VALUES) {
        const args = [0n, 0n, 0n, 0n, 0n, argument];
        const { value: result } = runProgram(program, { number: 0, architecture: X86_64, args });
        const wanted = (holds as (a: bigint, b: bigint) => boolean)(argument, value);
        assert.equal(result === SECCOMP_RETURN.ALLOW, wanted, `${argument} ${op} ${value}`);
      }
    }
  }
});

test('a rule without conditions outweighs conditional ones, and rules that repeat the default are none', () => {
  const syscalls: Seccomp['syscalls'] = [
    {
      names: ['clone'],
      action: 'SCMP_ACT_LOG',
      args: [{ index: 0, op: 'SCMP_CMP_EQ', value: 1n }],
    },
    { names: ['clone'], action: 'SCMP_ACT_ALLOW' },
    { names: ['read'], action: 'SCMP_ACT_ERRNO' },
    {
      names: ['read'],
      action: 'SCMP_ACT_LOG',
      args: [{ index: 0, op: 'SCMP_CMP_EQ', value: 1n }],
    },
  ];
  const profile: Seccomp = { defaultAction: 'SCMP_ACT_ERRNO', syscalls };
  assert.equal(verdict(profile, 56, [1n]), SECCOMP_RETURN.ALLOW);
  assert.equal(verdict(profile, 0, [1n]), SECCOMP_RETURN.LOG);
  assert.equal(verdict(profile, 0, [2n]), EPERM);
});

test('two conditions on one argument are alternatives', () => {
  const profile: Seccomp = {
    defaultAction: 'SCMP_ACT_ERRNO',
    syscalls: [
      {
        names: ['personality'],
        action: 'SCMP_ACT_ALLOW',
        args: [
          { index: 0, op: 'SCMP_CMP_EQ', value: 0n },
          { index: 0, op: 'SCMP_CMP_EQ', value: 8n },
        ],
      },
    ],
  };
  const allowed = [0n, 8n, 9n].map((value) => verdict(profile, 135, [value]));
  assert.deepEqual(allowed, [SECCOMP_RETURN.ALLOW, SECCOMP_RETURN.ALLOW, EPERM]);
});

test('calls of other ABIs and of newer kernels are refused whatever the default', () => {
  const profile: Seccomp = { defaultAction: 'SCMP_ACT_ALLOW' };
  assert.equal(verdict(profile, LAST_SYSCALL), SECCOMP_RETURN.ALLOW);
  assert.equal(verdict(profile, LAST_SYSCALL + 1), ENOSYS);
  assert.equal(verdict(profile, 0x40000000), ENOSYS, 'x32');
  assert.equal(verdict(profile, -1), ENOSYS);
  assert.equal(verdict(profile, 1, [], I386), SECCOMP_RETURN.KILL_PROCESS);
  const withI386: Seccomp = { ...profile, architectures: ['SCMP_ARCH_X86'] };
  assert.equal(verdict(withI386, 1, [], I386), ENOSYS);
  assert.equal(verdict(withI386, 1, [], 0xc00000b7), SECCOMP_RETURN.KILL_PROCESS, 'aarch64');
});

test('every action becomes its return value', () => {
  const values = [
    ['SCMP_ACT_ALLOW', SECCOMP_RETURN.ALLOW],
    ['SCMP_ACT_LOG', SECCOMP_RETURN.LOG],
    ['SCMP_ACT_TRAP', SECCOMP_RETURN.TRAP],
    ['SCMP_ACT_KILL', SECCOMP_RETURN.KILL_THREAD],
    ['SCMP_ACT_KILL_THREAD', SECCOMP_RETURN.KILL_THREAD],
    ['SCMP_ACT_KILL_PROCESS', SECCOMP_RETURN.KILL_PROCESS],
    ['SCMP_ACT_ERRNO', SECCOMP_RETURN.ERRNO | 1],
    ['SCMP_ACT_TRACE', SECCOMP_RETURN.TRACE | 1],
  ] as const;
  for (const [defaultAction, value] of values) {
    assert.equal(verdict({ defaultAction }, 0), value, defaultAction);
  }
  for (const action of ['ERRNO', 'TRACE'] as const) {
    const profile = { defaultAction: `SCMP_ACT_${action}`, defaultErrnoRet: 95 } as const;
    assert.equal(verdict(profile, 0), SECCOMP_RETURN[action] | 95);
  }
});

test('actions that ask for a supervisor, or for an errno that they do not return, are refused', () => {
  const compile = (rule: { action: SeccompAction; errnoRet?: number }) => () =>
    compileSeccomp({
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['read'], ...rule }],
    });
  assert.throws(compile({ action: 'SCMP_ACT_NOTIFY' }), {
    code: 'SPEC_UNSUPPORTED',
    message: /^linux\.seccomp\.syscalls\[0\]\.action: /,
  });
  assert.throws(compile({ action: 'SCMP_ACT_TRAP', errnoRet: 1 }), {
    code: 'SPEC_INVALID',
    message: /^linux\.seccomp\.syscalls\[0\]\.action is SCMP_ACT_TRAP, which returns no errno/,
  });
});

test('jumps over hundreds of instructions find their way', () => {
  const syscalls = Array.from({ length: 190 }, (_, index) => ({
    names: [index % 2 === 0 ? 'read' : 'mseal'],
    action: 'SCMP_ACT_ERRNO' as const,
    errnoRet: index + 1,
    args: [{ index: 0, op: 'SCMP_CMP_EQ' as const, value: BigInt(index) }],
  }));
  const profile: Seccomp = { defaultAction: 'SCMP_ACT_ALLOW', syscalls };
  assert.ok(compileSeccomp(profile).length > 700);
  for (let index = 0; index < 190; index++) {
    const number = index % 2 === 0 ? 0 : 462;
    assert.equal(verdict(profile, number, [BigInt(index)]), SECCOMP_RETURN.ERRNO | (index + 1));
    assert.equal(verdict(profile, 462 - number, [BigInt(index)]), SECCOMP_RETURN.ALLOW);
  }
});

test('a profile too long for the kernel is refused, before it costs much', () => {
  const names = Array.from({ length: 1024 }, (_, index) => NAMES[index % NAMES.length] as string);
  const syscalls = Array.from({ length: 4096 }, (_, index) => ({
    names,
    action: 'SCMP_ACT_ERRNO' as const,
    args: [{ index: 0, op: 'SCMP_CMP_EQ' as const, value: BigInt(index) }],
    errnoRet: 2,
  }));
  assert.throws(() => compileSeccomp({ defaultAction: 'SCMP_ACT_ALLOW', syscalls }), {
    code: 'SPEC_UNSUPPORTED',
    message: /^linux\.seccomp: the filter needs more than 4096 instructions/,
  });
});

test('a call takes few steps through a filter with every second call in it', () => {
  const names = NAMES.concat(['getpid', 'brk', 'stat', 'poll', 'select', 'mmap', 'uname', 'fork']);
  const syscalls = [{ names, action: 'SCMP_ACT_ALLOW' as const }];
  const program = compileSeccomp({ defaultAction: 'SCMP_ACT_ERRNO', syscalls });
  for (let number = 0; number <= LAST_SYSCALL; number++) {
    const { steps } = runProgram(program, { number, architecture: X86_64, args: [] });
    assert.ok(steps <= 11, `call ${number} took ${steps} steps`);
  }
});

test('flags become bits', () => {
  const flags = ['SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_SPEC_ALLOW'] as const;
  assert.equal(seccompFlags({ defaultAction: 'SCMP_ACT_ALLOW', flags: [...flags] }), 6);
});
