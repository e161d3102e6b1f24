import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { hasErrno, nameFullDisk, WardianError } from '../util/errors.ts';
import { getOwnIdentity, isProcessAlive, type ProcessIdentity } from './process-identity.ts';
import { createId } from './random-id.ts';

/** Between two looks at a lock that somebody holds: Node has no flock(2) that would wake us. */
const FIRST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 50;

/** Whoever breaks a dead holder's lock may die as well, and so on; nobody has that much bad luck. */
const MAX_BREAKERS = 4;

const TOKEN_DIGITS = 16;

export interface LockOptions {
  signal?: AbortSignal | undefined;
  /** Gives up after so long; absent: waits as long as the holder lives. */
  timeoutMs?: number;
}

export interface FileLock {
  release(): Promise<void>;
}

interface Holder extends ProcessIdentity {
  /** Unique to one holding, so that a dead one is never mistaken for its successor. */
  readonly token: string;
}

/**
 * Takes a lock that one process of this machine holds at a time. A holder that died is recognised by pid,
 * start time and boot, and its lock is broken. All contenders must share a pid namespace. Files are read and written at once:
 * that is a tenth of a millisecond, and nothing more has to be loaded for a command that holds a lock.
 */
export async function acquireLock(lockPath: string, options: LockOptions = {}): Promise<FileLock> {
  const holder: Holder = { ...getOwnIdentity(), token: createId().slice(0, TOKEN_DIGITS) };
  // The file appears with its content, by link(2): nobody ever reads a lock that does not say whose it is.
  const draft = `${lockPath}.${holder.token}.new`;
  try {
    writeFileSync(draft, JSON.stringify(holder), { flag: 'wx', mode: 0o600 });
    await waitUntilTaken(lockPath, draft, options);
  } catch (error) {
    throw nameFullDisk(error, path.dirname(lockPath));
  } finally {
    rmSync(draft, { force: true });
  }
  return { release: async () => releaseLock(lockPath, holder) };
}

/** Runs `action` while holding the lock. */
export async function withLock<T>(
  lockPath: string,
  options: LockOptions,
  action: () => Promise<T>,
): Promise<T> {
  const lock = await acquireLock(lockPath, options);
  try {
    return await action();
  } finally {
    await lock.release();
  }
}

/** The folder of the lock may have gone meanwhile, and another's come in its place. */
function releaseLock(lockPath: string, { token }: Holder): void {
  if (readHolder(lockPath)?.token === token) rmSync(lockPath, { force: true });
}

async function waitUntilTaken(
  lockPath: string,
  draft: string,
  options: LockOptions,
): Promise<void> {
  const deadline = Date.now() + (options.timeoutMs ?? Number.POSITIVE_INFINITY);
  let pauseMs = FIRST_PAUSE_MS;
  while (!tryTake(lockPath, draft)) {
    const holder = readHolder(lockPath);
    if (holder === undefined) continue; // Released between our two calls.
    if (!isProcessAlive(holder)) {
      await breakLock(lockPath, holder, options);
      continue;
    }
    if (options.signal?.aborted === true) {
      throw new WardianError('CANCELLED', `waiting for ${lockPath} was cancelled`);
    }
    if (Date.now() > deadline) throw timedOut(lockPath, holder);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

function tryTake(lockPath: string, draft: string): boolean {
  try {
    linkSync(draft, lockPath);
    return true;
  } catch (error) {
    if (hasErrno(error, 'EEXIST')) return false;
    throw error;
  }
}

/**
 * Removes the lock of a dead holder. Only one may do so, and only while the lock is still that holder's:
 * the right to break is itself a lock, named after the holding that it ends, so a slow second breaker
 * finds the lock changed and leaves the successor's alone.
 */
async function breakLock(lockPath: string, dead: Holder, options: LockOptions): Promise<void> {
  const breakerPath = `${lockPath}.${dead.token}.broken`;
  if (breakerPath.split('.broken').length > MAX_BREAKERS + 1) {
    throw new WardianError('STATE_CORRUPT', `cannot break the lock ${lockPath}`, {
      hint: 'remove it and the files beside it that begin with its name',
    });
  }
  await withLock(breakerPath, options, async () => {
    if (readHolder(lockPath)?.token === dead.token) rmSync(lockPath, { force: true });
  });
}

function readHolder(lockPath: string): Holder | undefined {
  try {
    const text = readFileSync(lockPath, 'utf8');
    return parseHolder(text) ?? describeDamaged(text);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw new WardianError('STATE_CORRUPT', `the lock ${lockPath} cannot be read`, {
      cause: error,
      hint: 'remove it when no wardian command is running',
    });
  }
}

function parseHolder(text: string): Holder | undefined {
  try {
    const { pid, startTime, bootId, token } = JSON.parse(text) as Partial<Holder>;
    if (!Number.isSafeInteger(pid) || typeof startTime !== 'string') return undefined;
    if (typeof bootId !== 'string' || !/^[0-9a-f]{16}$/.test(token ?? '')) return undefined;
    return { pid: pid as number, startTime, bootId, token: token as string };
  } catch {
    return undefined; // Not JSON: the caller takes it for what a crash left.
  }
}

/** A living holder's lock is whole from its first moment: one that is not was cut by a power failure, and its holder is dead. */
function describeDamaged(text: string): Holder {
  return { pid: 0, startTime: '', bootId: '', token: hashText(text) };
}

/** 16 hex digits that tell texts apart (FNV-1a, offset and prime of 64 bits); node:crypto would take 2 ms to load. */
function hashText(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(text)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return hash.toString(16).padStart(TOKEN_DIGITS, '0');
}

function timedOut(lockPath: string, holder: Holder): WardianError {
  return new WardianError('INTERNAL', `process ${holder.pid} still holds ${lockPath}`, {
    hint: 'wait for that process to end, or end it',
  });
}
