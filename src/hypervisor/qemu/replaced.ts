import { closeSync, constants, openSync } from 'node:fs';
import type { MachineConfig } from '../../machine/machine-config.ts';
import { WardianError } from '../../util/errors.ts';
import { INHERITED_FD } from './arguments.ts';

/** In a stem's folder: forks are asked for here. */
export const STEM_SOCKET = 'stem.sock';

/** A stem has these open only to know again what its forks replace. */
export const STEM_FDS = [INHERITED_FD.share, INHERITED_FD.image, INHERITED_FD.stemConsole] as const;

/** What each fork has of its own although its stem had opened another. */
export interface Replaced {
  readonly sharePath: string;
  readonly imagePath: string;
}

/** Finds share and image in a configuration; a stem and its forks have both. */
export function listReplaced({ devices }: MachineConfig): Replaced {
  const share = devices.find((device) => device.kind === 'share');
  const disk = devices.find((device) => device.kind === 'root-disk');
  if (share !== undefined && disk?.path !== undefined) {
    return { sharePath: share.path, imagePath: disk.path };
  }
  throw new WardianError('INTERNAL', 'a stem and its forks need a share and an image');
}

/** Opens what is replaced, in the order of the descriptors. */
export function openReplaced({ sharePath, imagePath }: Replaced): number[] {
  const share = openSync(sharePath, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    return [share, openSync(imagePath, constants.O_RDONLY)];
  } catch (error) {
    closeSync(share);
    throw error;
  }
}
