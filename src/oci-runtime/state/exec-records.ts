import { closeSync, openSync, readdirSync, rmSync } from 'node:fs';
import {
  getOwnIdentity,
  isProcessAlive,
  type ProcessIdentity,
} from '../../host/process-identity.ts';
import { hasErrno } from '../../util/errors.ts';
import type { ContainerFolder } from './state-folder.ts';

/** Pid and start time of a stub are the whole of a record. */
const NAME = /^(\d{1,10})\.(\d{1,20})$/;

/** Notes that a process of `exec` has this stub. */
export function recordExec(folder: ContainerFolder, { pid, startTime }: ProcessIdentity): void {
  try {
    listExecs(folder); // Takes those away that have ended, so that there are never many.
    closeSync(openSync(`${folder.execs}/${pid}.${startTime}`, 'w', 0o600));
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error; // The container was deleted, and the process has ended with it.
  }
}

/** Stubs of processes that `exec` started and that still run. */
export function listExecs(folder: ContainerFolder): ProcessIdentity[] {
  const { bootId } = getOwnIdentity();
  return readNames(folder).flatMap((name) => {
    const [, pid = '', startTime = ''] = NAME.exec(name) ?? [];
    const identity = { pid: Number(pid), startTime, bootId };
    if (pid !== '' && isProcessAlive(identity)) return [identity];
    rmSync(`${folder.execs}/${name}`, { force: true });
    return [];
  });
}

function readNames({ execs }: ContainerFolder): string[] {
  try {
    return readdirSync(execs);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return [];
    throw error;
  }
}
