import { isProcessAlive, type ProcessIdentity } from './process-identity.ts';

/** Between two looks: the kernel tells the end of a process to its parent, and to holders of a pidfd, which Node has not. */
const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 20;

/** Waits for the end of a process that is not our child; false when it still lives after `timeoutMs`. */
export async function waitForEnd(identity: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  let pauseMs = FIRST_PAUSE_MS;
  while (isProcessAlive(identity)) {
    if (Date.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  }
  return true;
}

/** Kills a process unless its pid is another's by now. */
export function killProcess(identity: ProcessIdentity): void {
  if (!isProcessAlive(identity)) return;
  try {
    process.kill(identity.pid, 'SIGKILL');
  } catch {} // ESRCH: it has just ended
}
