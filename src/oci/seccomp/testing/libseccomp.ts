import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Seccomp } from '../../runtime-spec/types.ts';
import type { Instruction } from '../bpf.ts';

export const PYTHON = '/usr/bin/python3';
const EPERM = 1;

export function script(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

export function skipWithoutPython(context: TestContext): boolean {
  const missing = process.arch !== 'x64' || spawnSync(PYTHON, ['-c', '']).status !== 0;
  if (missing) context.skip(`needs ${PYTHON} on x86_64`);
  return missing;
}

/** The filter that libseccomp makes of a profile; undefined where its Python bindings are missing. */
export function libseccompProgram(profile: Seccomp): Instruction[] | undefined {
  const input = JSON.stringify({
    default: profile.defaultAction,
    defaultErrno: profile.defaultErrnoRet ?? EPERM,
    syscalls: (profile.syscalls ?? []).map(({ names, action, errnoRet, args = [] }) => ({
      names,
      action,
      errno: errnoRet ?? EPERM,
      args: args.map(({ index, op, value, valueTwo = 0n }) => [
        ...[index, op, String(value), String(valueTwo)],
      ]),
    })),
  });
  const result = spawnSync(PYTHON, [script('libseccomp-verdicts.py')], { input });
  if (result.status === 3) return undefined;
  assert.equal(result.status, 0, result.stderr.toString());
  return decodeProgram(result.stdout);
}

function decodeProgram(bytes: Buffer): Instruction[] {
  return Array.from({ length: bytes.length / 8 }, (_, index) => ({
    code: bytes.readUInt16LE(8 * index),
    jumpTrue: bytes.readUInt8(8 * index + 2),
    jumpFalse: bytes.readUInt8(8 * index + 3),
    operand: bytes.readUInt32LE(8 * index + 4),
  }));
}
