import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { loadConfiguration } from '../src/configuration/load-configuration.ts';
import { type Directories, findDirectories } from '../src/host/directories.ts';
import { writeBuiltInImage } from '../src/image/built-in-image.ts';
import type { ImageStore } from '../src/image/image-store.ts';
import type { Container } from '../src/sandbox/container.ts';
import type { SandboxServices } from '../src/sandbox/start-machine.ts';
import type { RunRequest } from '../src/sandboxer/api.ts';
import { SandboxerClient } from '../src/sandboxer/client.ts';
import { createServices } from '../src/sandboxer/create-services.ts';
import { getPoolDirectory, WarmPool } from '../src/sandboxer/pool/warm-pool.ts';
import { Sandboxer } from '../src/sandboxer/sandboxer.ts';
import { prepareSharedRoot } from '../src/template/shared-root.ts';
import type { Cleanup } from '../src/util/cleanup.ts';
import { VERSION } from '../src/util/version.ts';

export const IMAGE = 'busybox';
/** What an idle container does. Not for ever: it would outlive a benchmark that was killed. */
export const IDLE_COMMAND = ['sleep', '3600'];
const STOP_TIMEOUT_MS = 0;
/** Never the reason why a pool is empty. */
const POOL_MEMORY_BYTES = 2 ** 30;

const ROOT = path.resolve(import.meta.dirname, '..');
const COMMAND = path.join(ROOT, 'wardian');
const LAUNCHER = path.join(ROOT, 'dist/launcher');

type Environment = Readonly<Record<string, string | undefined>>;

/** Our commands with folders of their own, so that nobody's containers are met. */
export interface WardianCommands {
  readonly environment: Environment;
  run(...flags: string[]): readonly string[];
  exec(container: string): readonly string[];
  load(path: string, name: string): readonly string[];
  /** The sandboxer that serves these commands, when one runs. */
  connectIfRunning(): Promise<SandboxerClient | undefined>;
}

/** Folders for one sandboxer; the cache, with kernel and templates, is this user's own: it holds nothing that runs. */
export function chooseDirectories(workspace: string, name: string): Directories {
  const { cache } = findDirectories(process.env, process.getuid?.() ?? 0);
  return { runtime: path.join(workspace, name), data: path.join(workspace, 'data'), cache };
}

export function createCommands(directories: Directories, base: Environment): WardianCommands {
  const environment = {
    ...base,
    WARDIAN_RUNTIME_DIR: directories.runtime,
    WARDIAN_DATA_DIR: directories.data,
    WARDIAN_CACHE_DIR: directories.cache,
  };
  return {
    environment,
    run: (...flags) => [COMMAND, 'run', ...flags],
    exec: (container) => [COMMAND, 'exec', container, 'true'],
    load: (file, name) => [COMMAND, 'load', '--name', name, file],
    connectIfRunning: () =>
      SandboxerClient.connectIfRunning({
        directories,
        version: VERSION,
        sandboxerPath: '', // it is not started from here
        environment,
      }),
  };
}

/** Ends the sandboxer of these commands with everything in it, and waits until it has gone. */
export async function stopSandboxer(commands: WardianCommands): Promise<void> {
  const client = await commands.connectIfRunning();
  if (client === undefined) return;
  const { containers } = await client.call('list', { all: true });
  for (const { id } of containers) {
    await client.call('remove', { container: id, force: true, timeoutMs: STOP_TIMEOUT_MS });
  }
  await client.call('shutdown', { force: true });
  await client.lost;
}

/** The library in this process, as an SDK uses it: no socket, no other process but the virtual machines. */
export interface WardianLibrary {
  readonly sandboxer: Sandboxer;
  readonly services: SandboxServices;
  readonly images: ImageStore;
  readonly pool: WarmPool;
  readonly accelerator: string;
}

export interface LibraryOptions {
  readonly directories: Directories;
  readonly environment: Environment;
  /** Machines that wait for a container; absent: none, as in a library that asks for no pool. */
  readonly poolSize?: number;
}

export async function openLibrary(
  { directories, environment, poolSize = 0 }: LibraryOptions,
  cleanup: Cleanup,
): Promise<WardianLibrary> {
  if (!existsSync(LAUNCHER)) throw new Error('nothing is built yet: run ./wardian check first');
  await mkdir(directories.runtime, { recursive: true, mode: 0o711 });
  const { guest } = (await loadConfiguration({ environment })).values;
  const created = await createServices({ directories, environment, guest, launcherPath: LAUNCHER });
  const { services, pairs, images, describe, warmUpDirectory } = created;
  cleanup.defer('templates', () => pairs.close());
  const pool: WarmPool = new WarmPool({
    size: poolSize,
    memoryBytes: POOL_MEMORY_BYTES,
    refillDelayMs: 0,
    directory: getPoolDirectory(directories.runtime),
    prepareImage: () => writeBuiltInImage(pairs.busyboxPath, warmUpDirectory),
    prepareShare: () => prepareSharedRoot(pairs.busyboxPath, warmUpDirectory),
    isStarting: () => sandboxer.registry.isStarting,
    log: (line) => process.stderr.write(`bench: ${line}\n`),
  });
  const sandboxer = new Sandboxer({
    services: { ...services, warmMachines: pool },
    images,
    dataDirectory: directories.data,
  });
  cleanup.defer('warm pool', () => pool.close());
  cleanup.defer('containers', () => removeAll(sandboxer));
  return { sandboxer, services, images, pool, accelerator: (await describe()).accelerator };
}

async function removeAll(sandboxer: Sandboxer): Promise<void> {
  for (const { state } of sandboxer.registry.entries) {
    await sandboxer.remove(state.id, true, STOP_TIMEOUT_MS);
  }
}

/** What `wardian run --detach IMAGE COMMAND` asks for. */
export function createRunRequest(command: readonly string[], template = true): RunRequest {
  return {
    id: createId(),
    image: IMAGE,
    command: [...command],
    env: [],
    terminal: false,
    interactive: false,
    autoRemove: false,
    detached: true,
    readOnly: false,
    tmpfs: [],
    network: 'none',
    labels: {},
    limits: {},
    template,
  };
}

export function createId(): string {
  return randomBytes(32).toString('hex');
}

/** Starts a container that idles, for rows that measure what happens in it. */
export async function startIdle({ sandboxer }: WardianLibrary): Promise<Container> {
  const { id } = await sandboxer.run(createRunRequest(IDLE_COMMAND));
  const { container } = sandboxer.registry.find(id);
  if (container === undefined) throw new Error('the container ended at once');
  return container;
}
