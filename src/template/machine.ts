import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { BootSource, Device, MachineConfig } from '../machine/machine-config.ts';
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
const NETWORK_ID = 'net0';

/** What a machine may see of the host. */
export interface HostSide {
  readonly shareDirectory: string;
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
  const devices = STANDARD_DEVICE_KINDS.map((kind) => describeDevice(kind, host));
  return { cpus: size.cpus, memoryBytes: size.memoryBytes, boot, devices };
}

function describeDevice(
  kind: Device['kind'],
  { shareDirectory, imagePath: path, exchangeable = false }: HostSide,
): Device {
  switch (kind) {
    case 'root-disk':
      return { kind, path, ...(exchangeable && { exchangeable }) };
    case 'network':
      return { kind, id: NETWORK_ID, backend: { kind: 'none' } };
    case 'share':
      return { kind, tag: SHARE_TAG, path: shareDirectory };
    default:
      return { kind };
  }
}

/** Makes the folder that a machine shares with its guest; the VMM's own user must be able to read it. */
export async function makeShareDirectory(machineDirectory: string): Promise<string> {
  const shareDirectory = join(machineDirectory, 'share');
  mkdirSync(shareDirectory, { mode: 0o755 });
  return shareDirectory;
}
