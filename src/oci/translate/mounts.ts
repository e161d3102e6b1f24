import { posix } from 'node:path';
import type { GuestMount } from '../guest-operations.ts';
import type { Mount } from '../runtime-spec/types.ts';
import { isBindMount, MS, parseMountOptions, propagationFlags } from './mount-options.ts';
import { invalid, unsupported } from './unsupported.ts';

/** Where in the guest the source of a bind mount is to be found, by its place in `mounts`; undefined: nowhere. */
export type BindSource = (source: string, index: number) => string | undefined;

type FindSource = (source: string) => string | undefined;

/** File systems that need nothing of the host. */
const VIRTUAL_FILE_SYSTEMS = new Set([
  ...['tmpfs', 'ramfs', 'proc', 'sysfs', 'devpts', 'mqueue', 'cgroup2', 'hugetlbfs'],
  ...['debugfs', 'tracefs', 'securityfs', 'configfs', 'fusectl', 'binfmt_misc', 'bpf', 'pstore'],
]);

/** mount(2) takes one page of data, its NUL included. */
const MAXIMUM_DATA_LENGTH = 4095;

/** Turns the mounts of a specification into the agent's, in the same order. */
export function translateMounts(mounts: readonly Mount[], bindSource: BindSource): GuestMount[] {
  return mounts.map((mount, index) =>
    translateMount(mount, `mounts[${index}]`, (source) => bindSource(source, index)),
  );
}

/** The MS_* flags of linux.rootfsPropagation; 0 when it is absent. */
export function translateRootfsPropagation(word: string | undefined): bigint {
  if (word === undefined || word === '') return 0n;
  const flags = propagationFlags(word);
  if (flags === undefined)
    throw invalid('linux.rootfsPropagation', `is "${word}", not a propagation`);
  return flags;
}

function translateMount(mount: Mount, path: string, bindSource: FindSource): GuestMount {
  const options = parseMountOptions(mount.options ?? []);
  const destination = posix.resolve('/', mount.destination);
  if (destination === '/') throw invalid(path, 'would cover the root of the container');
  if (options.idMapped || (mount.uidMappings ?? mount.gidMappings ?? []).length > 0) {
    throw unsupported(path, `${destination} asks for mapped user ids, which need a user namespace`);
  }
  if (options.data.length > MAXIMUM_DATA_LENGTH) {
    throw invalid(path, `has more than ${MAXIMUM_DATA_LENGTH} characters of options`);
  }
  const kind = translateKind(mount, path, options.flags, bindSource);
  if (options.copyUp && kind.type !== 'tmpfs') {
    throw invalid(path, `asks for tmpcopyup, but ${destination} is not a tmpfs`);
  }
  const { data, propagation, copyUp, recursiveSet, recursiveClear } = options;
  return { destination, data, propagation, copyUp, recursiveSet, recursiveClear, ...kind };
}

type MountKind = Pick<GuestMount, 'type' | 'source' | 'flags'>;

function translateKind(
  mount: Mount,
  path: string,
  flags: bigint,
  bindSource: FindSource,
): MountKind {
  const isBind = isBindMount(mount.type, flags);
  // What is changed is there already, from a mount before it.
  if ((flags & MS.REMOUNT) !== 0n) {
    return { type: '', source: '', flags: isBind ? flags | MS.BIND : flags };
  }
  // Its layers are the host's, where it has been mounted if at all.
  const overlay = mount.type === 'overlay' ? bindSource(mount.source ?? '') : undefined;
  if (overlay !== undefined) return { type: '', source: overlay, flags: flags | MS.BIND };
  if (!isBind) return virtualMount(mount, path, flags);
  return { type: '', source: findBindSource(mount, path, bindSource), flags: flags | MS.BIND };
}

function findBindSource(mount: Mount, path: string, bindSource: FindSource): string {
  if (mount.source === undefined || mount.source === '')
    throw invalid(path, 'has no source to bind');
  const source = bindSource(mount.source);
  if (source === undefined) {
    throw unsupported(
      path,
      `${mount.source} is a place on the host, which the sandbox does not see`,
      'copy the files into the image, or use a tmpfs',
    );
  }
  return source;
}

function virtualMount(mount: Mount, path: string, flags: bigint): MountKind {
  const type = mount.type ?? '';
  if (type === '') throw invalid(path, 'has neither a type nor the option bind');
  // The guest has the unified hierarchy only; engines say "cgroup" for either.
  const guestType = type === 'cgroup' ? 'cgroup2' : type;
  if (!VIRTUAL_FILE_SYSTEMS.has(guestType)) {
    throw unsupported(path, `a file system of type "${type}" would need a device of the host`);
  }
  return { type: guestType, source: mount.source ?? guestType, flags };
}
