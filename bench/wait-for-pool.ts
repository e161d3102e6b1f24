import { setTimeout as delay } from 'node:timers/promises';
import type { SandboxerClient } from '../src/sandboxer/client.ts';
import type { OpenVariant } from './budgets/variant.ts';

const POLL_MS = 50;
/** A member takes a second where the machine is quiet, and nobody makes one where it is not. */
const TIMEOUT_MS = 60_000;

/** Until the library's pool has a machine that waits; at once where there is to be no pool. */
export async function waitForLibraryPool({ pool, bench }: OpenVariant): Promise<void> {
  if (pool) await waitUntil(async () => bench.library.pool.describe().ready > 0);
}

/** The same for the pool of the sandboxer behind the commands. */
export async function waitForCommandsPool({ commands }: OpenVariant): Promise<void> {
  const client = await commands.connectIfRunning();
  if (client === undefined) return; // the command will start one, cold: a round that does not count
  try {
    await waitForPool(client);
  } finally {
    client.close();
  }
}

/** Until a sandboxer's pool has a machine that waits; at once where it keeps none. */
export async function waitForPool(client: SandboxerClient): Promise<void> {
  const isReady = async (): Promise<boolean> => {
    const { pool } = await client.call('info', {});
    return pool.size === 0 || pool.ready > 0;
  };
  await waitUntil(isReady);
}

async function waitUntil(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + TIMEOUT_MS;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`the pool has stayed empty for ${TIMEOUT_MS} ms`);
    await delay(POLL_MS);
  }
}
