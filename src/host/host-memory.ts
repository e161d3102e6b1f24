import { totalmem } from 'node:os';
import { WardianError } from '../util/errors.ts';

/** Refuses a limit that this machine cannot honour: a guest is told that it has so much, and would fail when it believes that. */
export function checkHostMemory(limitBytes: number | undefined, hostBytes = totalmem()): void {
  if (limitBytes === undefined || limitBytes <= hostBytes) return;
  const mebibytes = (bytes: number): string => `${Math.floor(bytes / 2 ** 20)} MiB`;
  throw new WardianError(
    'HOST_NO_MEMORY',
    `a container cannot have ${mebibytes(limitBytes)} of memory: this host has ${mebibytes(hostBytes)}`,
    { hint: 'ask for less with --memory' },
  );
}
