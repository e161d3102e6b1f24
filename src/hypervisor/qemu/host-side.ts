import type { MachineConfig, ShareDevice } from '../../machine/machine-config.ts';
import type { TapBackend } from '../../machine/network-config.ts';
import { INHERITED_FD } from './arguments.ts';

/** What of the host a machine is given beside files that we open ourselves: the launcher does that, in their namespaces. */
export interface HostSide {
  readonly share: ShareDevice | undefined;
  /** By the place of their device among the network devices. */
  readonly taps: ReadonlyMap<number, TapBackend>;
  readonly cgroupDirectories: readonly string[];
}

/** A path that leads into another process's mount namespace: /proc/PID/root/... */
const FOREIGN_PATH = /^\/proc\/(?<pid>[1-9]\d*)\/root(?<inside>\/.*)$/;

/** Finds in a configuration what the launcher has to open. */
export function findHostSide(
  { devices }: MachineConfig,
  cgroupDirectories: readonly string[] = [],
): HostSide {
  const networks = devices.filter((device) => device.kind === 'network');
  const taps = new Map<number, TapBackend>();
  for (const [index, { backend }] of networks.entries()) {
    if (backend.kind !== 'none') taps.set(index, backend);
  }
  return { share: devices.find((device) => device.kind === 'share'), taps, cgroupDirectories };
}

/** Options of the launcher's `run` and `fork`; pure, so that a test can read it. */
export function buildHostSide({ share, taps, cgroupDirectories }: HostSide): string[] {
  return [
    ...(share === undefined ? [] : buildShare(share)),
    ...[...taps].flatMap(([index, tap]) => ['--tap', describeTap(index, tap)]),
    ...cgroupDirectories.flatMap((directory) => ['--cgroup', directory]),
  ];
}

function buildShare({ path, writable = false }: ShareDevice): string[] {
  const { pid, inside = path } = FOREIGN_PATH.exec(path)?.groups ?? {};
  return [
    ...['--share', `${INHERITED_FD.share}=${inside}`],
    ...(pid === undefined ? [] : ['--share-namespace', `/proc/${pid}/ns/mnt`]),
    ...(writable ? ['--share-writable'] : []),
  ];
}

function describeTap(index: number, { name, index: macvtap, namespacePath }: TapBackend): string {
  const number = macvtap === undefined ? '' : `:${macvtap}`;
  return `${INHERITED_FD.tap + index}=${name}${number}@${namespacePath}`;
}
