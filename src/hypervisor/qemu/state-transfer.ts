import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Cleanup } from '../../util/cleanup.ts';
import { WardianError } from '../../util/errors.ts';
import { INHERITED_FD } from './arguments.ts';
import type { QmpClient } from './qmp-client.ts';

/** The state without memory is some hundred kilobytes; the rest is patience with a busy host. */
const TRANSFER_TIMEOUT_MS = 30_000;
const MIGRATION_SOCKET = 'migration.sock';

/** Memory is not part of the stream: it is a file that both sides map. */
const CAPABILITIES = {
  capabilities: [
    { capability: 'x-ignore-shared', state: true },
    { capability: 'events', state: true },
  ],
};

/** Loads the state from the inherited descriptor into a QEMU that waits for it; the guest then runs by itself. */
export async function loadState(monitor: QmpClient): Promise<void> {
  const settled = waitUntilSettled(monitor, 'load the state of the template');
  settled.catch(() => {}); // awaited below, after what may fail before it
  await Promise.all([
    monitor.execute('migrate-set-capabilities', CAPABILITIES),
    monitor.execute('migrate-incoming', { uri: `fd:${INHERITED_FD.state}` }),
  ]);
  await settled;
}

/** QEMU 7 sends its state to a socket at best: ours, which writes it to a file that appears when it is whole. */
export async function saveState(
  monitor: QmpClient,
  directory: string,
  statePath: string,
): Promise<void> {
  const cleanup = new Cleanup();
  const socketPath = path.join(directory, MIGRATION_SOCKET);
  const partialPath = `${statePath}.partial`;
  try {
    const server = createServer({ pauseOnConnect: true });
    cleanup.defer('migration socket', () => closeServer(server, socketPath));
    cleanup.defer('partial state', () => rm(partialPath, { force: true }));
    const received = receiveState(server, partialPath);
    received.catch(() => {}); // awaited below, after what may fail before it
    await listen(server, socketPath);
    await monitor.execute('migrate-set-capabilities', CAPABILITIES);
    const settled = waitUntilSettled(monitor, 'save the state of the machine');
    settled.catch(() => {}); // awaited below, after what may fail before it
    await monitor.execute('migrate', { uri: `unix:${socketPath}` });
    await settled;
    await received;
    await rename(partialPath, statePath);
  } catch (error) {
    throw await cleanup.fail(error);
  }
  await cleanup.run();
}

/** Resolves when the transfer is complete. `what` says it in words: "load the state". */
async function waitUntilSettled(monitor: QmpClient, what: string): Promise<void> {
  const event = await monitor.waitFor(
    `the end of its attempt to ${what}`,
    (seen) => seen.event === 'MIGRATION' && ['completed', 'failed'].includes(seen.status),
    TRANSFER_TIMEOUT_MS,
  );
  if (event.event === 'MIGRATION' && event.status === 'completed') return;
  throw new WardianError('HYPERVISOR_FAILED', `QEMU could not ${what}`);
}

async function receiveState(server: Server, filePath: string): Promise<void> {
  const socket = await new Promise<Socket>((resolve) => server.once('connection', resolve));
  await pipeline(socket, createWriteStream(filePath, { flags: 'wx', mode: 0o600, flush: true }));
}

function listen(server: Server, socketPath: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(socketPath, resolve);
  });
}

async function closeServer(server: Server, socketPath: string): Promise<void> {
  server.close();
  await rm(socketPath, { force: true });
}
