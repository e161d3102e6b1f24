import { posix } from 'node:path';
import { WardianError } from '../../util/errors.ts';
import type { Mount } from '../runtime-spec/types.ts';
import type { ContainerRequest } from './container-input.ts';

/** What every container finds below /proc, /dev and /sys; podman's list and options. */
export const DEFAULT_MOUNTS: readonly Mount[] = [
  mount('/proc', 'proc', ['nosuid', 'noexec', 'nodev']),
  mount('/dev', 'tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
  mount('/sys', 'sysfs', ['nosuid', 'noexec', 'nodev', 'ro']),
  mount('/dev/pts', 'devpts', [
    ...['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
  ]),
  mount('/dev/mqueue', 'mqueue', ['nosuid', 'noexec', 'nodev']),
  mount('/dev/shm', 'tmpfs', ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k']),
  mount('/sys/fs/cgroup', 'cgroup2', [
    ...['rprivate', 'nosuid', 'noexec', 'nodev', 'relatime', 'ro'],
  ]),
];

const TMPFS_OPTIONS = ['rw', 'rprivate', 'nosuid', 'nodev', 'tmpcopyup'];

/** Where programs must be able to write even when the root is read-only (podman's --read-only-tmpfs). */
const WRITABLE_MOUNTS: readonly Mount[] = [
  mount('/run', 'tmpfs', [...TMPFS_OPTIONS, 'mode=755']),
  mount('/tmp', 'tmpfs', [...TMPFS_OPTIONS, 'mode=1777']),
  mount('/var/tmp', 'tmpfs', [...TMPFS_OPTIONS, 'mode=1777']),
];

/** The mounts of a container; what the request mounts at a place wins there. */
export function assembleMounts({ readOnly, tmpfs }: ContainerRequest): Mount[] {
  const own = tmpfs.map(({ destination, options }) => tmpfsMount(destination, options));
  const taken = new Set(own.map(({ destination }) => destination));
  if (taken.size < own.length) {
    throw new WardianError('USAGE', 'two --tmpfs mounts have the same destination');
  }
  const defaults = [...DEFAULT_MOUNTS, ...(readOnly ? WRITABLE_MOUNTS : [])];
  return [...defaults.filter(({ destination }) => !taken.has(destination)), ...sortByDepth(own)];
}

/** A tmpfs as asked for: our options where the request has none of the same kind. */
function tmpfsMount(destination: string, options: string): Mount {
  if (!destination.startsWith('/') || posix.normalize(destination) === '/') {
    throw new WardianError('USAGE', `a tmpfs cannot be mounted at "${destination}"`, {
      hint: 'give an absolute path below /',
    });
  }
  const asked = options.split(',').filter((word) => word !== '');
  const opposites: Readonly<Record<string, readonly string[]>> = {
    rw: ['ro', 'rw'],
    rprivate: [
      ...['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'],
      ...['unbindable', 'runbindable'],
    ],
    nosuid: ['suid', 'nosuid'],
    nodev: ['dev', 'nodev'],
    tmpcopyup: ['tmpcopyup', 'notmpcopyup'],
  };
  const defaults = TMPFS_OPTIONS.filter(
    (word) => !asked.some((other) => opposites[word]?.includes(other)),
  );
  const path = posix.normalize(destination).replace(/\/$/, '');
  return mount(path, 'tmpfs', [...defaults, ...asked]);
}

/** Outer places first, or they would cover the inner ones. */
function sortByDepth(mounts: readonly Mount[]): Mount[] {
  const depth = ({ destination }: Mount) => destination.split('/').length;
  return mounts.toSorted((a, b) => depth(a) - depth(b));
}

function mount(destination: string, type: string, options: string[]): Mount {
  return { destination, type, source: type, options };
}
