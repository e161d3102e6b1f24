import { readdir, readFile } from 'node:fs/promises';

/**
 * Kills every process of this user that has `directory`, or a path below it, among its arguments: the VMM of a
 * folder whose record is lost. Only for clearing up after a crash: it looks at all processes.
 */
export async function killProcessesNaming(directory: string): Promise<void> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  for (const pid of pids) {
    const commandLine = await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => ''); // ended meanwhile
    if (!commandLine.includes(`${directory}/`)) continue;
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {} // ESRCH: already gone; EPERM: not ours
  }
}
