import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { hasErrno, toWardianError, WardianError } from '../../util/errors.ts';
import type { CgroupWrite } from './host-limits.ts';

/** Finds the folder of the cgroup that has a controller; undefined when the host has no such controller. */
export type FindDirectory = (controller: string) => string | undefined;

/**
 * Writes limits. One that the kernel refuses is tried once more when the others are set: some bound each other (memory
 * and swap, quota and period), and which has to go first depends on what was there before.
 * Fails with SPEC_UNSUPPORTED for what this host does not have, and SPEC_INVALID for what its kernel refuses.
 */
export function writeLimits(writes: readonly CgroupWrite[], findDirectory: FindDirectory): void {
  const refused: { write: CgroupWrite; file: string }[] = [];
  for (const write of writes) {
    const file = findFile(write, findDirectory(write.controller));
    if (file === undefined) continue;
    try {
      writeFileSync(file, write.value);
    } catch (error) {
      if (!hasErrno(error, 'EINVAL', 'EBUSY')) throw describeRefusal(write, file, error);
      refused.push({ write, file });
    }
  }
  for (const { write, file } of refused) {
    try {
      writeFileSync(file, write.value);
    } catch (error) {
      throw describeRefusal(write, file, error);
    }
  }
}

function findFile(write: CgroupWrite, directory: string | undefined): string | undefined {
  const files = write.files.map((file) => `${directory}/${file}`);
  const found = directory === undefined ? undefined : files.find((file) => existsSync(file));
  if (found !== undefined || write.isOptional === true) return found;
  throw new WardianError(
    'SPEC_UNSUPPORTED',
    `${write.asked} is ${write.value}, and this host has no ${write.files.join(' or ')}`,
    { hint: 'leave that limit out, or give the host a kernel that has it' },
  );
}

function describeRefusal(write: CgroupWrite, file: string, cause: unknown): WardianError {
  const isRefused = hasErrno(cause, 'EINVAL', 'EBUSY', 'ERANGE', 'E2BIG', 'EACCES', 'ENOSPC');
  if (!isRefused) return toWardianError(cause);
  const now = readText(file);
  return new WardianError(
    'SPEC_INVALID',
    `${write.asked}: the kernel refuses ${write.value} for ${file}${now === '' ? '' : `, which is ${now}`}`,
    { cause, hint: 'choose a value within the limits of the cgroup above it and of this host' },
  );
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim().slice(0, 64);
  } catch {
    return ''; // Some can only be written.
  }
}
