import path from 'node:path';
import { WardianError } from '../../util/errors.ts';
import type { CgroupManager } from '../runtime-context.ts';

/** Below this are containers whose engine names no place. */
export const OWN_PARENT = '/wardian-runtime';

/** Parts of a systemd name have no separators: they become names of folders. */
const SYSTEMD_NAME = /^[A-Za-z0-9:_.@\\-]+$/;

/** Where a container's cgroup is to be: below the mount point, or below the cgroup that we are in. */
export interface CgroupPlace {
  readonly path: string;
  readonly isRelative: boolean;
}

/**
 * Reads linux.cgroupsPath as runc does: an absolute path begins at the mount point, a relative one at our own cgroup,
 * and with systemd it is SLICE:PREFIX:NAME. Fails with SPEC_INVALID for the top itself and for what is no path.
 */
export function placeCgroup(
  cgroupsPath: string | undefined,
  id: string,
  manager: CgroupManager,
): CgroupPlace {
  if (manager === 'systemd') return { path: placeUnit(cgroupsPath, id), isRelative: false };
  if (cgroupsPath === undefined || cgroupsPath === '') {
    return { path: `${OWN_PARENT}/${id}`, isRelative: false };
  }
  // Made absolute first, so that ".." ends at the top instead of above it.
  const cleaned = path.posix.normalize(`/${cgroupsPath}`).replace(/\/$/, '');
  if (cleaned === '') throw invalid(cgroupsPath, 'is the top of all cgroups', 'name one below it');
  return { path: cleaned, isRelative: !cgroupsPath.startsWith('/') };
}

/** The folder in which systemd would put that unit (systemd.slice(5), systemd.scope(5)). */
function placeUnit(cgroupsPath: string | undefined, id: string): string {
  const parts = (cgroupsPath || `:wardian-runtime:${id}`).split(':');
  const [slice = '', prefix = '', name = ''] = parts;
  if (parts.length !== 3 || !isUnitName(name) || (prefix !== '' && !isUnitName(prefix))) {
    throw invalid(
      cgroupsPath ?? id,
      'is not SLICE:PREFIX:NAME',
      'that is what --systemd-cgroup means',
    );
  }
  const unit = prefix === '' ? name : `${prefix}-${name}`;
  const folder = expandSlice(slice === '' ? 'system.slice' : slice, cgroupsPath ?? '');
  return `${folder}/${name.endsWith('.slice') ? name : `${unit}.scope`}`;
}

/** "a-b.slice" lies in "a.slice"; "-.slice" is the top. */
function expandSlice(slice: string, cgroupsPath: string): string {
  if (slice === '-.slice') return '';
  const name = slice.replace(/\.slice$/, '');
  const words = name.split('-');
  if (!slice.endsWith('.slice') || !isUnitName(name) || words.includes('')) {
    throw invalid(cgroupsPath, `names "${slice}", which is no slice`, 'a slice is NAME.slice');
  }
  return words.map((_, index) => `/${words.slice(0, index + 1).join('-')}.slice`).join('');
}

function isUnitName(name: string): boolean {
  return SYSTEMD_NAME.test(name) && name !== '.' && name !== '..' && name.length <= 255;
}

function invalid(cgroupsPath: string, problem: string, hint: string): WardianError {
  const shown = JSON.stringify(cgroupsPath.slice(0, 128));
  return new WardianError('SPEC_INVALID', `linux.cgroupsPath ${shown} ${problem}`, { hint });
}
