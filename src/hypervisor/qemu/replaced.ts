import type { MachineConfig } from '../../machine/machine-config.ts';
import { WardianError } from '../../util/errors.ts';
import { INHERITED_FD } from './arguments.ts';

/** In a stem's folder: forks are asked for here. */
export const STEM_SOCKET = 'stem.sock';

/** A stem has these open only to know again what its forks replace. */
export const STEM_FDS = [INHERITED_FD.image, INHERITED_FD.stemConsole] as const;

/** What each fork has of its own although its stem had opened another; its share the launcher opens. */
export interface Replaced {
  readonly imagePath: string;
}

/** Finds the image in a configuration; a stem and its forks have a share as well. */
export function findReplaced({ devices }: MachineConfig): Replaced {
  const share = devices.find((device) => device.kind === 'share');
  const disk = devices.find((device) => device.kind === 'root-disk');
  if (share !== undefined && disk?.path !== undefined) return { imagePath: disk.path };
  throw new WardianError('INTERNAL', 'a stem and its forks need a share and an image');
}
