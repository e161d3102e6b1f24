import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { killProcessesNaming } from '../../host/process-sweep.ts';

/**
 * Ends the members of a pool whose sandboxer died, and machines of it that no sandbox's state names any more.
 * `inUse`: folders of those that were given away and still run.
 */
export async function sweepPool(
  poolDirectory: string,
  inUse: ReadonlySet<string>,
  log: (line: string) => void,
): Promise<void> {
  const names = await readdir(poolDirectory).catch(() => []); // none yet
  for (const directory of names.map((name) => path.join(poolDirectory, name))) {
    if (inUse.has(directory)) continue;
    try {
      await killProcessesNaming(directory);
      await rm(directory, { recursive: true, force: true });
    } catch (error) {
      log(`could not clear ${directory} away: ${(error as Error).message}`);
    }
  }
}
