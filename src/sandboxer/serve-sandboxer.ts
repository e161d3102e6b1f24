import { chmod, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import path from 'node:path';
import { ensureDirectory, ensurePrivateDirectory } from '../host/directories.ts';
import { acquireLock } from '../host/lock.ts';
import { Cleanup } from '../util/cleanup.ts';
import { WardianError } from '../util/errors.ts';
import { adoptAll } from './adopt-all.ts';
import { SOCKET_NAME } from './api.ts';
import { type ServerHandlers, serveConnection } from './connection/server-connection.ts';
import { createServices, type ServiceOptions } from './create-services.ts';
import { createHandlers } from './handlers.ts';
import { Sandboxer } from './sandboxer.ts';

export interface ServeOptions extends ServiceOptions {
  readonly log: (line: string) => void;
}

export interface ServedSandboxer {
  /** Fulfilled when it has left: idle, or asked to. */
  readonly left: Promise<void>;
}

/** How long an idle sandboxer waits for the next client: a start costs a person's patience, waiting costs 40 MB. */
const DEFAULT_IDLE_MS = 30_000;
/** Another sandboxer that is just leaving holds the lock for no longer than this. */
const LOCK_PATIENCE_MS = 500;

/** Starts serving this user's sandboxes; undefined when another process does so already. */
export async function serveSandboxer(options: ServeOptions): Promise<ServedSandboxer | undefined> {
  const { directories, environment } = options;
  const idleMs = parseIdleMs(environment['WARDIAN_IDLE_TIMEOUT_MS']);
  ensurePrivateDirectory(directories.runtime);
  ensureDirectory(directories.data, 0o755);
  const lock = await takeLock(directories.runtime);
  if (lock === undefined) return undefined;
  const cleanup = new Cleanup();
  cleanup.defer('lock', () => lock.release());
  try {
    return await serve(options, idleMs, cleanup);
  } catch (error) {
    throw await cleanup.fail(error);
  }
}

/** Takes over what runs, and listens. What it has to undo runs in the end, or now when it fails. */
async function serve(
  options: ServeOptions,
  idleMs: number,
  cleanup: Cleanup,
): Promise<ServedSandboxer> {
  const { directories, log } = options;
  const { services, pairs, images, describe } = await createServices(options);
  cleanup.defer('templates', () => pairs.close());
  const sandboxer = new Sandboxer({ services, images, dataDirectory: directories.data });
  cleanup.defer('sandboxes', () => sandboxer.release());
  await adoptAll(sandboxer, services, log);
  let leave = (): void => {};
  const asked = new Promise<void>((resolve) => {
    leave = resolve;
  });
  const handlers = createHandlers(sandboxer, { describe, leave: () => setImmediate(leave) });
  const connections = await listen(directories.runtime, handlers, cleanup);
  const isBusy = (): boolean => connections.size > 0 || sandboxer.registry.isBusy;
  const left = Promise.race([asked, waitUntilIdle(isBusy, idleMs)]).then(async () => {
    for (const failure of await cleanup.run()) log(`while leaving: ${failure}`);
  });
  return { left };
}

async function takeLock(runtimeDirectory: string) {
  try {
    return await acquireLock(path.join(runtimeDirectory, 'sandboxer.lock'), {
      timeoutMs: LOCK_PATIENCE_MS,
    });
  } catch (error) {
    if (error instanceof WardianError && error.code === 'INTERNAL') return undefined; // it lives: no need for two
    throw error;
  }
}

/** Serves whoever connects; gives the connections that are open. */
async function listen(
  runtimeDirectory: string,
  handlers: ServerHandlers,
  cleanup: Cleanup,
): Promise<ReadonlySet<Socket>> {
  const connections = new Set<Socket>();
  const server = createServer((socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
    serveConnection(socket, handlers);
  });
  cleanup.defer('connections', () => {
    server.close();
    for (const socket of connections) socket.destroy();
  });
  const socketPath = path.join(runtimeDirectory, SOCKET_NAME);
  await rm(socketPath, { force: true }); // of a sandboxer that died; we hold the lock
  // Nobody may find the socket any more before the lock is given up: a client then starts another sandboxer.
  cleanup.defer('socket', () => rm(socketPath, { force: true }));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(socketPath, resolve);
  });
  await chmod(socketPath, 0o600);
  return connections;
}

/** Fulfilled when nothing has happened for `idleMs`. Looks a few times in that span rather than at every event. */
function waitUntilIdle(isBusy: () => boolean, idleMs: number): Promise<void> {
  const looks = 4;
  return new Promise((resolve) => {
    let quietLooks = 0;
    const timer = setInterval(() => {
      quietLooks = isBusy() ? 0 : quietLooks + 1;
      if (quietLooks < looks) return;
      clearInterval(timer);
      resolve();
    }, idleMs / looks);
  });
}

function parseIdleMs(text: string | undefined): number {
  if (text === undefined || text === '') return DEFAULT_IDLE_MS;
  const idleMs = Number(text);
  if (Number.isInteger(idleMs) && idleMs >= 100 && idleMs <= 86_400_000) return idleMs;
  throw new WardianError('CONFIG_INVALID', `WARDIAN_IDLE_TIMEOUT_MS is ${JSON.stringify(text)}`, {
    hint: 'give milliseconds, from 100 to 86400000',
  });
}
