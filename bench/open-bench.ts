import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Cleanup } from '../src/util/cleanup.ts';
import { createCommandRunner } from './command.ts';
import { searchPath } from './find-program.ts';
import { controlGroupName, type Workspace } from './isolate.ts';
import { makePeerImage } from './peers/image.ts';
import { openPeers } from './peers/open-peers.ts';
import type { PeerSetup } from './peers/peer.ts';
import type { Bench } from './rows/row.ts';
import { chooseDirectories, createCommands, openLibrary, stopSandboxer } from './wardian.ts';

/** The slowest command is a start on a machine that has much else to do. */
const COMMAND_TIMEOUT_MS = 60_000;

/** Sets up Wardian in folders of its own, and the peers; `cleanup` takes everything down again. */
export async function openBench(
  workspace: Workspace,
  signal: AbortSignal,
  cleanup: Cleanup,
): Promise<Bench> {
  const { directory, isolated } = workspace;
  const containersConfiguration = path.join(directory, 'containers.conf');
  const environment = {
    ...process.env,
    PATH: searchPath(),
    CONTAINERS_CONF: containersConfiguration,
    WARDIAN_POOL_SIZE: '0', // what a pool saves depends on whether it has filled: `budgets` measures it apart
  };
  const directories = chooseDirectories(directory, 'library');
  const library = await openLibrary({ directories, environment }, cleanup);
  const commands = createCommands(chooseDirectories(directory, 'commands'), environment);
  cleanup.defer('sandboxer', () => stopSandboxer(commands));
  const setup = async (): Promise<PeerSetup> => {
    const place = path.join(directory, 'peers');
    await mkdir(place);
    const image = await makePeerImage(place, library.services.pairs.busyboxPath);
    const controlGroup = controlGroupName(workspace);
    return { directory: place, controlGroup, containersConfiguration, image };
  };
  const peers = await openPeers(isolated ? await setup() : undefined, cleanup);
  const runnerOptions = { directory, timeoutMs: COMMAND_TIMEOUT_MS, signal };
  return {
    peers,
    library,
    commands,
    environment,
    createCommands: (name, variables = {}) =>
      createCommands(chooseDirectories(directory, name), { ...environment, ...variables }),
    runner: createCommandRunner({ ...runnerOptions, environment }),
    createRunner: (own) => createCommandRunner({ ...runnerOptions, environment: own.environment }),
    directory,
  };
}
