import { chmod, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import path from 'node:path';
import type { LoadedConfiguration } from '../configuration/configuration.ts';
import { loadConfiguration } from '../configuration/load-configuration.ts';
import { ensureDirectory, ensurePrivateDirectory } from '../host/directories.ts';
import { acquireLock } from '../host/lock.ts';
import { writeBuiltInImage } from '../image/built-in-image.ts';
import { prepareSharedRoot } from '../template/shared-root.ts';
import { Cleanup } from '../util/cleanup.ts';
import { WardianError } from '../util/errors.ts';
import { VERSION } from '../util/version.ts';
import { adoptAll } from './adopt-all.ts';
import { SOCKET_NAME } from './api.ts';
import { type ServerHandlers, serveConnection } from './connection/server-connection.ts';
import { gateVersion } from './connection/version-gate.ts';
import { createServices, type ServiceOptions } from './create-services.ts';
import { createHandlers } from './handlers.ts';
import { sweepPool } from './pool/sweep-pool.ts';
import { getPoolDirectory, WarmPool } from './pool/warm-pool.ts';
import { findProvisionalKey, waitUntilUnneeded } from './provisional.ts';
import { Sandboxer } from './sandboxer.ts';

/** The guest comes from the configuration, which is read here. */
export interface ServeOptions extends Omit<ServiceOptions, 'guest'> {
  readonly log: (line: string) => void;
}

export interface ServedSandboxer {
  /** Fulfilled when it has left: idle, or asked to. */
  readonly left: Promise<void>;
  /** Asks it to leave: containers go on, and the next sandboxer adopts them. */
  leave(): void;
}

/** Another sandboxer that is just leaving holds the lock for no longer than this. */
const LOCK_PATIENCE_MS = 500;

/** Starts serving this user's sandboxes; undefined when another process does so already. */
export async function serveSandboxer(options: ServeOptions): Promise<ServedSandboxer | undefined> {
  const { directories, environment } = options;
  const configuration = await loadConfiguration({ environment });
  ensurePrivateDirectory(directories.runtime);
  ensureDirectory(directories.data, 0o755);
  const lock = await takeLock(directories.runtime);
  if (lock === undefined) return undefined;
  const cleanup = new Cleanup();
  cleanup.defer('lock', () => lock.release());
  try {
    return await serve(options, configuration, cleanup);
  } catch (error) {
    throw await cleanup.fail(error);
  }
}

/** Takes over what runs, and listens. What it has to undo runs in the end, or now when it fails. */
async function serve(
  options: ServeOptions,
  configuration: LoadedConfiguration,
  cleanup: Cleanup,
): Promise<ServedSandboxer> {
  const { directories, log } = options;
  const { services, pairs, images, describe, warmUpDirectory } = await createServices({
    ...options,
    guest: configuration.values.guest,
  });
  cleanup.defer('templates', () => pairs.close());
  const provisionalKey = findProvisionalKey(options.environment);
  const isProvisional = provisionalKey !== undefined;
  const pool: WarmPool = new WarmPool({
    ...configuration.values.pool,
    ...(isProvisional && { size: 0 }), // it has no time to make any, and they would go with it
    directory: getPoolDirectory(directories.runtime),
    prepareImage: () => writeBuiltInImage(pairs.busyboxPath, warmUpDirectory),
    prepareShare: () => prepareSharedRoot(pairs.busyboxPath, warmUpDirectory),
    isStarting: () => sandboxer.registry.isStarting,
    log,
  });
  const sandboxer = new Sandboxer({
    services: { ...services, warmMachines: pool },
    images,
    dataDirectory: directories.data,
  });
  cleanup.defer('sandboxes', () => sandboxer.release());
  cleanup.defer('warm pool', () => pool.close());
  await adoptAll(sandboxer, services, log);
  await sweepPool(getPoolDirectory(directories.runtime), listMachineFolders(sandboxer), log);
  let leave = (): void => {};
  const asked = new Promise<void>((resolve) => {
    leave = resolve;
  });
  const handlers = createHandlers(sandboxer, {
    describe: async () => ({
      ...(await describe()),
      pool: pool.describe(),
      configuration: configuration.settings,
    }),
    isProvisional,
    drainPool: () => pool.drain(),
    leave: () => setImmediate(leave),
  });
  const connections = await listen(
    { runtimeDirectory: directories.runtime, handlers, log },
    cleanup,
  );
  const isBusy = (): boolean => connections.wereUsed() || sandboxer.isBusy;
  const { wereUsed } = connections;
  const left = Promise.race([
    asked,
    waitUntilIdle(isBusy, configuration.values.idleTimeoutMs),
    ...(isProvisional ? [waitUntilUnneeded(sandboxer, provisionalKey, wereUsed)] : []),
  ]).then(async () => {
    for (const failure of await cleanup.run()) log(`while leaving: ${failure}`);
  });
  return { left, leave: () => leave() };
}

/** Of the machines that run for a container: those that came from the pool stay in its folder. */
function listMachineFolders({ allEntries }: Sandboxer): ReadonlySet<string> {
  const folders = allEntries.map(({ state }) => state.machine?.record.directory ?? '');
  return new Set(folders);
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

interface Connections {
  /** Whether any is open, or was since this was asked before. */
  wereUsed(): boolean;
}

interface Listening {
  readonly runtimeDirectory: string;
  readonly handlers: ServerHandlers;
  readonly log: (line: string) => void;
}

/** Serves whoever connects. */
async function listen(
  { runtimeDirectory, handlers, log }: Listening,
  cleanup: Cleanup,
): Promise<Connections> {
  const connections = new Set<Socket>();
  let isNew = false;
  const server = createServer((socket) => {
    isNew = true;
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
    const gate = { version: VERSION, hangUp: () => socket.destroy() };
    serveConnection(socket, gateVersion(handlers, gate));
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
  // No descriptor is left for one more client, say: that one hears of it by a closed connection, the others go on.
  server.removeAllListeners('error').on('error', (error) => {
    log(`a connection could not be accepted: ${error.message}`);
  });
  await chmod(socketPath, 0o600);
  const wereUsed = (): boolean => {
    const were = isNew || connections.size > 0;
    isNew = false;
    return were;
  };
  return { wereUsed };
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
