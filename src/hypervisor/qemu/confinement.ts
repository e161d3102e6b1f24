import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { MachineConfig } from '../../machine/machine-config.ts';
import type { Accelerator } from '../driver.ts';
import type { Confinement } from './process.ts';

/** Users that machines run as. Above what systemd hands to containers, so nobody else has them. */
export interface UserRange {
  readonly first: number;
  readonly count: number;
}

export const DEFAULT_USER_RANGE: UserRange = { first: 0x7000_0000, count: 0x0100_0000 };

/** What a dynamically linked QEMU and its firmware need of the system. */
const SYSTEM_PATHS = ['/usr', '/lib', '/lib64', '/bin', '/etc/ld.so.cache'];
const KVM_DEVICE = '/dev/kvm';

export interface ConfinementOptions {
  readonly isRoot: boolean;
  readonly userRange: UserRange;
  readonly qemuPath: string;
  readonly firmwareDirectory?: string | undefined;
  readonly accelerator: Accelerator;
  /** A clone has its kernel in its memory; only who boots reads the files. */
  readonly boots: boolean;
  /** Folders from which disks may be attached later. */
  readonly diskDirectories: readonly string[];
}

/** The walls around one VMM. Only root can make it another user; a user namespace does for everyone else. */
export async function planConfinement(
  id: string,
  config: MachineConfig,
  options: ConfinementOptions,
): Promise<Confinement | undefined> {
  const { isRoot, accelerator } = options;
  const user = isRoot ? { user: drawUser(id, options.userRange) } : {};
  const visiblePaths = listVisiblePaths(config, options);
  if (accelerator === 'tcg') return { ...user, visiblePaths };
  // Who is not root keeps the groups that let us open the device.
  if (!isRoot) return { visiblePaths: [...visiblePaths, KVM_DEVICE] };
  const device = await stat(KVM_DEVICE);
  const isOpenToGroup = (device.mode & 0o060) === 0o060 && device.gid !== 0;
  // A device that only root may open leaves no choice; QEMU's own filter of system calls remains.
  if (!isOpenToGroup && (device.mode & 0o006) !== 0o006) return undefined;
  return { ...user, deviceGid: device.gid, visiblePaths: [...visiblePaths, KVM_DEVICE] };
}

/** No register is needed: with as many users as there are, two machines of one host hardly ever share one. */
function drawUser(id: string, range: UserRange): { uid: number; gid: number } {
  const draw = createHash('sha256').update(id).digest().readUInt32BE();
  const uid = range.first + (draw % range.count);
  return { uid, gid: uid };
}

function listVisiblePaths(config: MachineConfig, options: ConfinementOptions): string[] {
  const { kernelPath, initramfsPath } = config.boot;
  const boot = options.boots ? [kernelPath, initramfsPath] : [];
  const firmware = options.firmwareDirectory === undefined ? [] : [options.firmwareDirectory];
  const wanted = [options.qemuPath, ...firmware, ...boot, ...options.diskDirectories];
  // What lies in a system folder is visible with it; a mount point cannot be made in a read-only one.
  const isCovered = (wantedPath: string): boolean =>
    SYSTEM_PATHS.some((system) => wantedPath.startsWith(`${system}/`));
  return [
    ...SYSTEM_PATHS,
    ...new Set(wanted.map((one) => path.resolve(one)).filter((one) => !isCovered(one))),
  ];
}
