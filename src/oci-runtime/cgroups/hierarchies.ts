import { readFileSync } from 'node:fs';
import path from 'node:path';
import { WardianError } from '../../util/errors.ts';

/** A mounted cgroup tree of the host: one of several in version 1, the only one in version 2. */
export interface Hierarchy {
  readonly version: 1 | 2;
  /** Version 1: as the kernel names them, `name=systemd` too. Version 2: those that its root can hand out. */
  readonly controllers: readonly string[];
  readonly mountPoint: string;
  /** Where this process is, as an absolute path below the mount point. */
  readonly ownPath: string;
}

/** Texts of the kernel, as a test can make them up. */
export interface CgroupSources {
  /** /proc/self/mountinfo (proc_pid_mountinfo(5)). */
  readonly mountInfo: string;
  /** /proc/self/cgroup (cgroups(7)). */
  readonly ownCgroups: string;
  /** Text of `cgroup.controllers` of the tree that is mounted there. */
  readonly readControllers: (mountPoint: string) => string;
}

/** Options of a version 1 mount that are no controllers (kernel/cgroup/cgroup-v1.c). */
const NOT_CONTROLLERS =
  /^(?:rw|ro|none|all|noprefix|xattr|clone_children|cpuset_v2_mode|favordynmods|nofavordynmods|release_agent=.*)$/;

/**
 * The cgroup trees in which containers are placed. A host with both versions (hybrid) hands its limits out in version 1,
 * so that is what is used there; whatever it keeps in version 2, huge pages as a rule, no VMM of ours uses.
 */
export function findHierarchies(sources: CgroupSources = readSources()): Hierarchy[] {
  const hierarchies = parseMounts(sources);
  const first = hierarchies.filter(({ version }) => version === 1);
  const hasLimits = first.some(({ controllers }) =>
    controllers.some((name) => !name.includes('=')),
  );
  const chosen = hasLimits ? first : hierarchies.filter(({ version }) => version === 2);
  if (chosen.length > 0) return chosen;
  throw new WardianError('HOST_SETUP_MISSING', 'no cgroup file system is mounted', {
    hint: 'mount one: mount -t cgroup2 cgroup2 /sys/fs/cgroup; or do without: --cgroup-manager disabled',
  });
}

function readSources(): CgroupSources {
  return {
    mountInfo: readFileSync('/proc/self/mountinfo', 'utf8'),
    ownCgroups: readFileSync('/proc/self/cgroup', 'utf8'),
    readControllers: (mountPoint) => readFileSync(`${mountPoint}/cgroup.controllers`, 'utf8'),
  };
}

function parseMounts(sources: CgroupSources): Hierarchy[] {
  const found = new Map<string, Hierarchy>();
  const own = parseOwnCgroups(sources.ownCgroups);
  for (const line of sources.mountInfo.split('\n')) {
    const [place = '', system = ''] = line.split(' - ');
    const [type, , options = ''] = system.split(' ');
    if (type !== 'cgroup' && type !== 'cgroup2') continue;
    const [, , , root = '/', mountPoint = ''] = place.split(' ').map(unescapeField);
    const version = type === 'cgroup2' ? 2 : 1;
    const controllers =
      version === 2
        ? sources.readControllers(mountPoint).trim().split(' ').filter(Boolean)
        : options.split(',').filter((option) => !NOT_CONTROLLERS.test(option));
    const key = version === 2 ? '' : [...controllers].sort().join(',');
    if (version === 1 && key === '') continue;
    const ownPath = stripRoot(own.get(key) ?? '/', root);
    // The first of several mounts of one tree: later ones are for those who live in containers.
    if (!found.has(key)) found.set(key, { version, controllers, mountPoint, ownPath });
  }
  return [...found.values()];
}

/** Path of each tree, by its controllers in alphabetical order; that of version 2 by the empty text. */
function parseOwnCgroups(text: string): Map<string, string> {
  const paths = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, controllers, ...rest] = line.split(':');
    if (controllers === undefined) continue;
    paths.set(controllers.split(',').sort().join(','), rest.join(':'));
  }
  return paths;
}

/** Below a mount that shows only part of its tree, as in a container, paths begin there. */
function stripRoot(ownPath: string, root: string): string {
  const relative = path.posix.relative(root, ownPath);
  return relative.startsWith('..') ? '/' : `/${relative}`;
}

/** Blanks and their like are octal in mountinfo. */
function unescapeField(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}
