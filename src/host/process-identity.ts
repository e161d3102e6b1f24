import { readFileSync } from 'node:fs';

/** One process of this machine for good: a pid alone is used again, a start time after a reboot is too. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since the boot, as /proc/<pid>/stat has them (field 22 of proc(5)). */
  readonly startTime: string;
  readonly bootId: string;
}

/** Who we are; read once, since none of it changes. */
export function getOwnIdentity(): ProcessIdentity {
  own ??= {
    pid: process.pid,
    startTime: readStartTime(process.pid) ?? '0',
    bootId: readBootId(),
  };
  return own;
}

/** True while that very process runs; a zombie has let go of everything and counts as dead. */
export function isProcessAlive(identity: ProcessIdentity): boolean {
  return (
    identity.bootId === getOwnIdentity().bootId &&
    readStartTime(identity.pid) === identity.startTime
  );
}

/** Who a process is, so that it can be found again; undefined when it is gone. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  const startTime = readStartTime(pid);
  return startTime === undefined ? undefined : { pid, startTime, bootId: getOwnIdentity().bootId };
}

let own: ProcessIdentity | undefined;

function readBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
}

function readStartTime(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined; // ENOENT or ESRCH: gone
  }
  // The name in parentheses may hold anything, blanks and parentheses too: fields begin after the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  return state === 'Z' || state === 'X' ? undefined : fields[19];
}
