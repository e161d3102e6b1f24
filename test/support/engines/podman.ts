import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { CommandResult } from '../command-result.ts';
import type { PseudoTerminal } from '../pseudo-terminal.ts';
import { writeEngineImage } from './engine-image.ts';
import type { EngineRoom, RunOptions } from './engine-room.ts';

/** Programs that podman needs here, for `reasonToSkipEngine`. */
export const PODMAN_PROGRAMS = ['podman', 'conmon', 'netavark', 'iptables'];

const RUNTIME = 'wardian-runtime';

/** podman with folders and a configuration of its own in a room, and the image `busybox`. */
export class Podman {
  readonly #room: EngineRoom;
  readonly #base: readonly string[];

  private constructor(room: EngineRoom, base: readonly string[]) {
    this.#room = room;
    this.#base = base;
  }

  static async open(room: EngineRoom): Promise<Podman> {
    const configuration = path.join(room.directory, 'containers.conf');
    writeFileSync(configuration, buildConfiguration(room));
    room.environment['CONTAINERS_CONF'] = configuration;
    mkdirSync(path.join(room.directory, 'networks'));
    const folders = ['--root', path.join(room.directory, 'podman'), '--runroot', '/run/p'];
    const podman = new Podman(room, ['podman', ...folders, '--tmpdir', '/run/libpod']);
    await podman.succeed(['load', '--quiet', '--input', writeEngineImage(room.directory)]);
    return podman;
  }

  command(...argv: readonly string[]): string[] {
    return [...this.#base, ...argv];
  }

  async run(argv: readonly string[], options?: RunOptions): Promise<CommandResult> {
    return this.#room.run(this.command(...argv), options);
  }

  /** A container without a network that does nothing for ten minutes. */
  async startSleeper(name: string, image: string): Promise<void> {
    const flags = ['--detach', '--name', name, '--network', 'none'];
    await this.succeed(['run', ...flags, image, 'sleep', '600']);
  }

  async succeed(argv: readonly string[], options?: RunOptions): Promise<string> {
    return this.#room.succeed(this.command(...argv), options);
  }

  openTerminal(argv: readonly string[], preparation?: string): PseudoTerminal {
    return this.#room.openTerminal(this.command(...argv), preparation);
  }

  /** One field of `podman inspect`, as a Go template. */
  async inspect(name: string, template: string): Promise<string> {
    return this.succeed(['inspect', '--format', template, name]);
  }

  /** Removes every container and network, as an administrator would at the end of the day. */
  async clear(): Promise<void> {
    await this.succeed(['pod', 'rm', '--all', '--force', '--time', '0']);
    await this.succeed(['rm', '--all', '--force', '--time', '0']);
    await this.succeed(['volume', 'prune', '--force']);
  }
}

/** Low limits, since podman would raise them, which not every root may; messages of the runtime as JSON. */
function buildConfiguration(room: EngineRoom): string {
  return `[containers]
default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]
[engine]
runtime = "${RUNTIME}"
runtime_supports_json = ["${RUNTIME}"]
runtime_supports_nocgroup = ["${RUNTIME}"]
cgroup_manager = "cgroupfs"
events_logger = "file"
[engine.runtimes]
${RUNTIME} = ["${room.runtime}"]
[network]
network_backend = "netavark"
network_config_dir = "${path.join(room.directory, 'networks')}"
`;
}
