import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { BootSource, Device, MachineConfig } from '../machine/machine-config.ts';
import type { TapBackend } from '../machine/network-config.ts';
import type { SizeClass } from './size-class.ts';

/** Kinds in the order in which every sandbox's machine has them: part of a template's key. */
export const STANDARD_DEVICE_KINDS: readonly Device['kind'][] = [
  'agent-port',
  'root-disk',
  'scsi-controller',
  'network',
  'share',
  'random',
];

const SHARE_TAG = 'wardian';

/** What of the host a machine is given beside its image. */
export interface HostResources {
  /** The folder that its guest sees through 9p; absent: an empty one. See ShareDevice. */
  readonly share?: { readonly path: string; readonly writable: boolean };
  /** In the order of the guest's network devices. Machines of templates have one device: for more they are booted. */
  readonly taps?: readonly TapBackend[];
  /** Folders of the host's cgroups which the VMM joins before it takes memory. */
  readonly cgroupDirectories?: readonly string[];
}

/** What a machine may see of the host. */
export interface HostSide {
  readonly share: { readonly path: string; readonly writable: boolean };
  readonly taps?: readonly TapBackend[] | undefined;
  /** The image on the root disk; undefined: none. */
  readonly imagePath?: string | undefined;
  /** See RootDiskDevice. */
  readonly exchangeable?: boolean;
}

/** The machine that every sandbox has. */
export function describeSandboxMachine(
  size: SizeClass,
  boot: BootSource,
  host: HostSide,
): MachineConfig {
  const devices = STANDARD_DEVICE_KINDS.flatMap((kind) => describeDevices(kind, host));
  return { cpus: size.cpus, memoryBytes: size.memoryBytes, boot, devices };
}

function describeDevices(
  kind: Device['kind'],
  { share, taps = [], imagePath: path, exchangeable = false }: HostSide,
): Device[] {
  switch (kind) {
    case 'root-disk':
      return [{ kind, path, ...(exchangeable && { exchangeable }) }];
    case 'network':
      return describeNetworks(taps);
    case 'share':
      return [
        { kind, tag: SHARE_TAG, path: share.path, ...(share.writable && { writable: true }) },
      ];
    default:
      return [{ kind }];
  }
}

/** There is always one: a template does not know yet whether it will be connected. */
function describeNetworks(taps: readonly TapBackend[]): Device[] {
  const backends = taps.length === 0 ? [{ kind: 'none' as const }] : taps;
  return backends.map((backend, index) => ({ kind: 'network', id: `net${index}`, backend }));
}

/** Makes the folder that a machine shares with its guest; the VMM's own user must be able to read it. */
export async function makeShareDirectory(machineDirectory: string): Promise<string> {
  const shareDirectory = join(machineDirectory, 'share');
  mkdirSync(shareDirectory, { mode: 0o755 });
  return shareDirectory;
}
