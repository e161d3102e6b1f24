import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SECCOMP_RETURN } from './actions.ts';
import { compileSeccomp } from './compile.ts';
import { defaultSeccomp } from './default-profile.ts';
import { syscallNumber } from './syscalls.ts';
import { runProgram } from './testing/run-program.ts';

function verdict(capabilities: string[], name: string, args: bigint[] = []): number {
  const number = syscallNumber(name) as number;
  const data = { number, architecture: 0xc000003e, args };
  return runProgram(compileSeccomp(defaultSeccomp(capabilities)), data).value;
}

test('every name in the profile is a system call of x86_64', () => {
  const names = (defaultSeccomp([]).syscalls ?? []).flatMap((syscall) => syscall.names);
  assert.deepEqual(
    names.filter((name) => syscallNumber(name) === undefined),
    [],
  );
});

test('a capability gives back the calls that it is for', () => {
  const cases: [string, string][] = [
    ['kexec_load', 'CAP_SYS_BOOT'],
    ['finit_module', 'CAP_SYS_MODULE'],
    ['bpf', 'CAP_BPF'],
    ['perf_event_open', 'CAP_PERFMON'],
    ['open_by_handle_at', 'CAP_DAC_READ_SEARCH'],
    ['mount', 'CAP_SYS_ADMIN'],
    ['clone3', 'CAP_SYS_ADMIN'],
    ['syslog', 'CAP_SYSLOG'],
  ];
  for (const [name, capability] of cases) {
    assert.notEqual(verdict([], name), SECCOMP_RETURN.ALLOW, name);
    assert.equal(verdict([capability], name), SECCOMP_RETURN.ALLOW, `${name} with ${capability}`);
  }
});

test('threads and processes may be cloned, namespaces not', () => {
  const pthread = 0x3d0f00n;
  const newUser = 0x10000000n;
  assert.equal(verdict([], 'clone', [pthread]), SECCOMP_RETURN.ALLOW);
  assert.equal(verdict([], 'clone', [newUser | 17n]), SECCOMP_RETURN.ERRNO | 1);
  assert.equal(verdict(['CAP_SYS_ADMIN'], 'clone', [newUser]), SECCOMP_RETURN.ALLOW);
});

test('what programs live on stays allowed', () => {
  for (const name of ['ptrace', 'io_uring_setup', 'openat2', 'memfd_create', 'rseq', 'chroot']) {
    assert.equal(verdict([], name), SECCOMP_RETURN.ALLOW, name);
  }
});

test('the filter of the default profile stays small', () => {
  assert.ok(compileSeccomp(defaultSeccomp([])).length < 200);
});
