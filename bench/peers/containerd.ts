import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { captureCommand } from '../../src/host/spawn.ts';
import type { Cleanup } from '../../src/util/cleanup.ts';
import { findVersion } from '../machine.ts';
import { requireLayout } from './image.ts';
import type { Peer, PeerKind, PeerSetup } from './peer.ts';

export const containerd: PeerKind = {
  name: 'containerd (ctr) with runc',
  programs: ['containerd', 'containerd-shim-runc-v2', 'ctr', 'runc', 'umoci', 'tar'],
  packages: ['containerd', 'runc', 'umoci'],
  open: openContainerd,
};

const STATE = '/run/bench-containerd';
const SOCKET = `${STATE}/containerd.sock`;
const IMAGE = 'localhost/busybox:latest';
/** containerd opens its database and looks at the snapshotters first. */
const START_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 5_000;
const COMMAND_LIMITS = { timeoutMs: 60_000, maxOutputBytes: 4096 };

async function openContainerd(setup: PeerSetup, cleanup: Cleanup): Promise<Peer> {
  const daemon = await startDaemon(setup.directory);
  cleanup.defer('containerd', () => stopDaemon(daemon));
  const ctrCommand = buildCtrCommand(setup.controlGroup);
  await waitUntilServing(ctrCommand, daemon);
  const archive = path.join(setup.directory, 'image.tar');
  await captureCommand(
    'tar',
    ['-C', requireLayout(setup.image), '-cf', archive, '.'],
    COMMAND_LIMITS,
  );
  const [file, ...rest] = ctrCommand;
  const name = ['--base-name', IMAGE.replace(/:.*/, '')];
  await captureCommand(file, [...rest, 'images', 'import', ...name, archive], COMMAND_LIMITS);
  const version = await findVersion(['containerd', '--version']);
  return { name: `containerd ${version} (ctr) with runc`, ...buildCtrCommands(ctrCommand) };
}

export function buildDaemonConfig(root: string): string {
  return `version = 2
root = ${JSON.stringify(root)}
state = "${STATE}"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "${SOCKET}"
`;
}

/** containerd names the containers' control group after its namespace. */
export function buildCtrCommand(namespace: string): [string, ...string[]] {
  return ['ctr', '--address', SOCKET, '--namespace', namespace];
}

export function buildCtrCommands(ctrCommand: readonly string[]): Omit<Peer, 'name'> {
  let execCount = 0;
  return {
    run: (id) => [...ctrCommand, 'run', '--rm', IMAGE, id, 'true'],
    start: (id) => [...ctrCommand, 'run', '--detach', IMAGE, id, 'sleep', '100000'],
    exec: (id) => [...ctrCommand, 'task', 'exec', '--exec-id', `e${execCount++}`, id, 'true'],
    remove: (id) => [
      [...ctrCommand, 'task', 'rm', '--force', id],
      [...ctrCommand, 'container', 'rm', id],
    ],
  };
}

async function startDaemon(directory: string): Promise<ChildProcess> {
  const configuration = path.join(directory, 'containerd.toml');
  await writeFile(configuration, buildDaemonConfig(path.join(directory, 'containerd')));
  const log = openSync(path.join(directory, 'containerd.log'), 'w', 0o600);
  try {
    const stdio = ['ignore', log, log] as ['ignore', number, number];
    return spawn('containerd', ['--config', configuration], { stdio });
  } finally {
    closeSync(log);
  }
}

/** containerd tells nobody when it is ready but by answering: so it is asked, with a breath between. */
async function waitUntilServing(ctrCommand: [string, ...string[]], daemon: ChildProcess) {
  const [file, ...rest] = ctrCommand;
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      await captureCommand(file, [...rest, 'version'], COMMAND_LIMITS);
      return;
    } catch (error) {
      if (daemon.exitCode !== null) throw new Error(`containerd ended with ${daemon.exitCode}`);
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function stopDaemon(daemon: ChildProcess): Promise<void> {
  if (daemon.exitCode !== null || daemon.signalCode !== null) return;
  const gone = once(daemon, 'exit');
  daemon.kill('SIGTERM');
  const timer = setTimeout(() => daemon.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await gone;
  clearTimeout(timer);
}
