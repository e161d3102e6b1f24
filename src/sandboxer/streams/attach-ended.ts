import { open } from 'node:fs/promises';
import { readLog } from '../../sandbox/container-log.ts';
import type { ExitReport } from '../../sandbox/sandbox-state.ts';
import { hasErrno, WardianError } from '../../util/errors.ts';
import { type AttachRequest, STREAM_KIND } from '../api.ts';
import type { ServerStream } from '../connection/server-connection.ts';
import type { ContainerEntry, ContainerRegistry } from '../container-registry.ts';

/** The container of an owner that comes back after it has ended under an earlier sandboxer. */
export function findEnded(
  registry: ContainerRegistry,
  { container, execId, owner, from }: AttachRequest,
): ContainerEntry | undefined {
  if (!owner || from === 'now' || execId !== undefined) return undefined;
  if (registry.getStarting(container) !== undefined) return undefined;
  const entry = registry.find(container);
  return entry.container === undefined ? entry : undefined;
}

/**
 * Gives the client of such a container what the earlier sandboxer could not tell it any more: the output from where
 * the client stands, which is in the log, and how it ended.
 */
export async function attachEnded(
  entry: ContainerEntry,
  request: AttachRequest & { readonly logPath: string },
  stream: ServerStream,
): Promise<ExitReport> {
  const { exit, name } = entry.state;
  if (exit === undefined) {
    throw new WardianError('CONTAINER_NOT_RUNNING', `container ${name} is not running`);
  }
  stream.onFrame(() => {}); // acknowledgements: the socket's back-pressure is enough
  await sendLog(request, stream);
  entry.claim?.();
  await entry.done;
  return exit;
}

async function sendLog(
  { from, logPath }: AttachRequest & { readonly logPath: string },
  stream: ServerStream,
): Promise<void> {
  const seen = typeof from === 'object' ? from : { stdout: 0, stderr: 0 };
  const file = await open(logPath, 'r').catch((error: unknown) => {
    if (hasErrno(error, 'ENOENT')) return undefined; // somebody removed it: the exit code is still there
    throw error;
  });
  if (file === undefined) return;
  try {
    const records = readLog(file);
    for (let next = await records.next(); !next.done; next = await records.next()) {
      const { stream: output, offset, bytes } = next.value;
      if (stream.signal.aborted) break;
      const skipped = Math.max(0, seen[output] - offset);
      if (skipped >= bytes.length) continue;
      stream.send(STREAM_KIND[output], offset + skipped, bytes.subarray(skipped));
      await stream.drained();
    }
  } finally {
    await file.close();
  }
}
