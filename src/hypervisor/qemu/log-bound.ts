import { type FSWatcher, watch } from 'node:fs';
import { stat, truncate } from 'node:fs/promises';

/** A guest that prints as fast as it can is looked at this often, and fills some megabytes meanwhile. */
const PAUSE_MS = 1_000;

/**
 * Keeps a log that its writer appends to below a size: what is beyond begins anew. For logs of VMMs that may write files
 * of any size, since they serve a folder of the host to their guest; costs nothing while nobody writes. Returns how to stop.
 */
export function boundLog(filePath: string, limitBytes: number): () => void {
  let timer: NodeJS.Timeout | undefined;
  const check = async (): Promise<void> => {
    timer = undefined;
    try {
      if ((await stat(filePath)).size > limitBytes) await truncate(filePath);
    } catch {} // ENOENT: the machine is gone, and its folder
  };
  const watcher = watchFile(filePath, () => {
    timer ??= setTimeout(() => void check(), PAUSE_MS).unref();
  });
  return () => {
    clearTimeout(timer);
    watcher?.close();
  };
}

/** Undefined where there is nothing to watch: then nobody writes to it either. */
function watchFile(filePath: string, onChange: () => void): FSWatcher | undefined {
  try {
    return watch(filePath, { persistent: false }, onChange).on('error', () => {}); // it was removed
  } catch {
    return undefined; // ENOENT, or no more watches for this user: the host's limit stays what it is
  }
}
