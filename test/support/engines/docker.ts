import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { CommandResult } from '../command-result.ts';
import { writeEngineImage } from './engine-image.ts';
import type { EngineRoom, RunOptions } from './engine-room.ts';

/** Programs that Docker needs here, for `reasonToSkipEngine`. */
export const DOCKER_PROGRAMS = [
  'dockerd',
  'docker',
  'containerd',
  'containerd-shim-runc-v2',
  'iptables',
];

const CONTAINERD_SOCKET = '/run/containerd.sock';
const DOCKER_SOCKET = '/run/docker.sock';
/** Both daemons scan the machine before they listen. */
const START_TIMEOUT_MS = 60_000;
const POLL_MS = 100;

/** Docker's daemon with a containerd of its own in a room, our runtime as its default, and the image `busybox`. */
export class Docker {
  readonly #room: EngineRoom;

  private constructor(room: EngineRoom) {
    this.#room = room;
  }

  static async open(room: EngineRoom): Promise<Docker> {
    const docker = new Docker(room);
    startContainerd(room);
    await docker.startDaemon();
    await docker.succeed(['load', '--input', writeEngineImage(room.directory)]);
    return docker;
  }

  async run(argv: readonly string[], options?: RunOptions): Promise<CommandResult> {
    return this.#room.run(this.command(...argv), options);
  }

  async succeed(argv: readonly string[], options?: RunOptions): Promise<string> {
    return this.#room.succeed(this.command(...argv), options);
  }

  command(...argv: readonly string[]): string[] {
    return ['docker', '--host', `unix://${DOCKER_SOCKET}`, ...argv];
  }

  async inspect(name: string, template: string): Promise<string> {
    return this.succeed(['inspect', '--format', template, name]);
  }

  /** Starts dockerd and waits until it answers. */
  async startDaemon(): Promise<void> {
    const room = this.#room;
    const configuration = path.join(room.directory, 'daemon.json');
    writeFileSync(configuration, JSON.stringify(buildConfiguration(room)));
    const daemon = room.startDaemon(['dockerd', '--config-file', configuration], 'dockerd');
    for (const deadline = Date.now() + START_TIMEOUT_MS; ; await delay(POLL_MS)) {
      if ((await this.run(['version'])).exitCode === 0) return;
      if (daemon.exitCode !== null || Date.now() > deadline) {
        throw new Error(`dockerd does not answer: ${room.readDaemonLog('dockerd')}`);
      }
    }
  }

  /** Removes every container, then nothing of them may be left. */
  async clear(): Promise<void> {
    const ids = (await this.succeed(['ps', '--all', '--quiet'])).split('\n').filter(Boolean);
    if (ids.length > 0) await this.succeed(['rm', '--force', '--volumes', ...ids]);
  }
}

function startContainerd(room: EngineRoom): void {
  const configuration = path.join(room.directory, 'containerd.toml');
  const state = path.join(room.directory, 'containerd');
  writeFileSync(
    configuration,
    `version = 2
root = "${state}/root"
state = "${state}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "${CONTAINERD_SOCKET}"
`,
  );
  room.startDaemon(['containerd', '--config', configuration], 'containerd');
}

function buildConfiguration(room: EngineRoom): object {
  return {
    'data-root': path.join(room.directory, 'data-root'),
    'exec-root': '/run/docker',
    pidfile: '/run/docker.pid',
    hosts: [`unix://${DOCKER_SOCKET}`],
    containerd: CONTAINERD_SOCKET,
    'exec-opts': ['native.cgroupdriver=cgroupfs'],
    'storage-driver': existsSync('/sys/module/overlay') ? 'overlay2' : 'vfs',
    runtimes: { wardian: { path: room.runtime } },
    'default-runtime': 'wardian',
  };
}
