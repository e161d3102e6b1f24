import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { checkSpec } from '../runtime-spec/parse.ts';
import type { Seccomp } from '../runtime-spec/types.ts';
import { compileSeccomp } from './compile.ts';
import { LAST_SYSCALL } from './syscalls.ts';
import { libseccompProgram, skipWithoutPython } from './testing/libseccomp.ts';
import { runProgram } from './testing/run-program.ts';
import { createRandom, EDGE_VALUES } from './testing/samples.ts';

/** podman's and CRI-O's; Docker has a copy of the same form in its program. */
const PROFILE = '/usr/share/containers/seccomp.json';
const X86_64 = 0xc000003e;

interface Condition {
  arches?: string[];
  caps?: string[];
}

interface EngineRule {
  includes?: Condition;
  excludes?: Condition;
}

/** What an engine writes into config.json for a container with these capabilities. */
function chooseRules(capabilities: readonly string[]): Seccomp {
  const profile = JSON.parse(readFileSync(PROFILE, 'utf8'));
  const isForUs = ({ includes = {}, excludes = {} }: EngineRule): boolean => {
    const has = (names: string[] = []) => names.some((name) => capabilities.includes(name));
    const isHere = (names: string[] = []) => names.includes('amd64');
    if (has(excludes.caps) || isHere(excludes.arches)) return false;
    const lacksCaps = (includes.caps ?? []).some((name) => !capabilities.includes(name));
    return !lacksCaps && (includes.arches === undefined || isHere(includes.arches));
  };
  const architectures = ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'];
  const syscalls = profile.syscalls.filter(isForUs);
  const seccomp = { ...profile, architectures, syscalls };
  return checkSpec({ ociVersion: '1.0.2', linux: { seccomp } }).linux?.seccomp as Seccomp;
}

const SETS = [
  { name: 'no capability', capabilities: [] },
  { name: 'usual ones', capabilities: ['CAP_AUDIT_WRITE', 'CAP_CHOWN', 'CAP_SYS_CHROOT'] },
  { name: 'an administrator', capabilities: ['CAP_SYS_ADMIN', 'CAP_BPF', 'CAP_SYS_TIME'] },
];

for (const { name, capabilities } of SETS) {
  test(`the default profile of engines means what libseccomp takes it for: ${name}`, (context) => {
    if (skipWithoutPython(context)) return;
    if (!existsSync(PROFILE)) return context.skip(`needs ${PROFILE} of an engine's package`);
    const profile = chooseRules(capabilities);
    const theirs = libseccompProgram(profile);
    if (theirs === undefined) return context.skip('needs the package python3-seccomp');
    const ours = compileSeccomp(profile);
    const random = createRandom(capabilities.length);
    for (let number = 0; number <= LAST_SYSCALL; number++) {
      for (let call = 0; call < 20; call++) {
        const args = Array.from({ length: 6 }, () => pickArgument(random));
        const data = { number, architecture: X86_64, args };
        const expected: number = runProgram(theirs, data).value;
        assert.equal(runProgram(ours, data).value, expected, `call ${number}(${args})`);
      }
    }
  });
}

/** Values that profiles speak of: address families, protocols, clone flags, personalities. */
function pickArgument(random: (below: number) => number): bigint {
  const telling = [16n, 9n, 40n, 8n, 0x20008n, 0xffffffffn, 0x10000000n, 0x7e020000n, 4n];
  const values = random(2) === 0 ? telling : EDGE_VALUES;
  return values[random(values.length)] ?? 0n;
}
