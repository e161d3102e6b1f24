import { readFileSync } from 'node:fs';
import { PROVISIONAL_VARIABLE } from '../../sandboxer/api.ts';
import type { RuntimeContext } from '../runtime-context.ts';

/** It waits until every process below it has ended, and a daemon that we start would be one. */
const WAITING_PARENT = 'conmon';

/** How far up the parents are looked at: an engine's clean-up command may stand between. */
const MAX_GENERATIONS = 2;

/** The environment for a sandboxer that is started from here for a container; it finds the folders that we found. */
export function buildSandboxerEnvironment(
  { environment, directories, parentPid }: RuntimeContext,
  key: string,
): Record<string, string | undefined> {
  const { NODE_EXTRA_CA_CERTS: _, ...rest } = environment;
  return {
    ...rest,
    WARDIAN_RUNTIME_DIR: directories.runtime,
    WARDIAN_CACHE_DIR: directories.cache,
    WARDIAN_DATA_DIR: directories.data,
    ...(isBelowConmon(parentPid) && { [PROVISIONAL_VARIABLE]: key }),
  };
}

/** True where a daemon that we leave behind would keep an engine's monitor alive. */
export function isBelowConmon(parentPid: number): boolean {
  let pid = parentPid;
  for (let generation = 0; generation < MAX_GENERATIONS && pid > 1; generation++) {
    const status = readStatus(pid);
    if (status.name === WAITING_PARENT) return true;
    pid = status.parentPid;
  }
  return false;
}

function readStatus(pid: number): { name: string; parentPid: number } {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const end = stat.lastIndexOf(')');
    const name = stat.slice(stat.indexOf('(') + 1, end);
    return { name, parentPid: Number(stat.slice(end + 2).split(' ')[1]) };
  } catch {
    return { name: '', parentPid: 0 }; // ESRCH: it has ended, and nobody waits there
  }
}
