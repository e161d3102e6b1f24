import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { captureCommand } from '../../src/host/spawn.ts';
import { findVersion } from '../machine.ts';
import { requireLayout } from './image.ts';
import type { Peer, PeerKind, PeerSetup } from './peer.ts';

export const podman: PeerKind = {
  name: 'podman with crun',
  programs: ['podman', 'conmon', 'crun', 'umoci'],
  packages: ['podman', 'conmon', 'crun', 'umoci'],
  open: openPodman,
};

/** podman would raise limits to more than a root without CAP_SYS_RESOURCE may. */
const CONFIGURATION = `[containers]
default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]
`;
const PULL_TIMEOUT_MS = 60_000;
const MAX_ID_BYTES = 4096;

async function openPodman(setup: PeerSetup): Promise<Peer> {
  await writeFile(setup.containersConfiguration, CONFIGURATION);
  const podmanCommand = buildPodmanCommand(path.join(setup.directory, 'podman'));
  const [file, ...rest] = podmanCommand;
  const layout = `oci:${requireLayout(setup.image)}:latest`;
  const { stdout } = await captureCommand(file, [...rest, 'pull', '--quiet', layout], {
    timeoutMs: PULL_TIMEOUT_MS,
    maxOutputBytes: MAX_ID_BYTES,
  });
  const version = await findVersion(['podman', '--version']);
  const place = { image: stdout.trim(), controlGroup: setup.controlGroup };
  return { name: `podman ${version} with crun`, ...buildPodmanCommands(podmanCommand, place) };
}

/** podman with every folder its own, so that nobody's containers are touched. */
export function buildPodmanCommand(storage: string): [string, ...string[]] {
  return [
    'podman',
    ...['--root', storage, '--runroot', '/run/bench-podman', '--tmpdir', '/run/bench-libpod'],
    ...['--runtime', 'crun', '--cgroup-manager', 'cgroupfs', '--events-backend', 'file'],
  ];
}

export function buildPodmanCommands(
  podmanCommand: readonly string[],
  place: { readonly image: string; readonly controlGroup: string },
): Omit<Peer, 'name'> {
  const run = [...podmanCommand, 'run', '--network', 'none'];
  const group = ['--cgroup-parent', `/${place.controlGroup}`];
  return {
    run: (id) => [...run, ...group, '--rm', '--name', id, place.image, 'true'],
    start: (id) => [...run, ...group, '--detach', '--name', id, place.image, 'sleep', '100000'],
    exec: (id) => [...podmanCommand, 'exec', id, 'true'],
    remove: (id) => [[...podmanCommand, 'rm', '--force', '--time', '0', id]],
  };
}
