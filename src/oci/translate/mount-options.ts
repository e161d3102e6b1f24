/** linux/mount.h: the flags of mount(2). */
export const MS = {
  RDONLY: 1n,
  NOSUID: 2n,
  NODEV: 4n,
  NOEXEC: 8n,
  SYNCHRONOUS: 16n,
  REMOUNT: 32n,
  MANDLOCK: 64n,
  DIRSYNC: 128n,
  NOSYMFOLLOW: 256n,
  NOATIME: 1024n,
  NODIRATIME: 2048n,
  BIND: 4096n,
  REC: 16384n,
  SILENT: 32768n,
  POSIXACL: 1n << 16n,
  UNBINDABLE: 1n << 17n,
  PRIVATE: 1n << 18n,
  SLAVE: 1n << 19n,
  SHARED: 1n << 20n,
  RELATIME: 1n << 21n,
  I_VERSION: 1n << 23n,
  STRICTATIME: 1n << 24n,
  LAZYTIME: 1n << 25n,
} as const;

interface FlagChange {
  set: bigint;
  clear: bigint;
}

const ATIME_MODES = MS.NOATIME | MS.RELATIME | MS.STRICTATIME;

/** Every word of the specification's table and of mount(8) that stands for flags. */
const FLAG_WORDS: ReadonlyMap<string, FlagChange> = new Map([
  ['defaults', { set: 0n, clear: 0n }],
  ...pair('ro', 'rw', MS.RDONLY),
  ...pair('nosuid', 'suid', MS.NOSUID),
  ...pair('nodev', 'dev', MS.NODEV),
  ...pair('noexec', 'exec', MS.NOEXEC),
  ...pair('sync', 'async', MS.SYNCHRONOUS),
  ...pair('mand', 'nomand', MS.MANDLOCK),
  ...pair('nosymfollow', 'symfollow', MS.NOSYMFOLLOW),
  ...pair('nodiratime', 'diratime', MS.NODIRATIME),
  ...pair('silent', 'loud', MS.SILENT),
  ...pair('acl', 'noacl', MS.POSIXACL),
  ...pair('iversion', 'noiversion', MS.I_VERSION),
  ...pair('lazytime', 'nolazytime', MS.LAZYTIME),
  ['dirsync', { set: MS.DIRSYNC, clear: 0n }],
  ['remount', { set: MS.REMOUNT, clear: 0n }],
  ['noatime', { set: MS.NOATIME, clear: ATIME_MODES }],
  ['relatime', { set: MS.RELATIME, clear: ATIME_MODES }],
  ['strictatime', { set: MS.STRICTATIME, clear: ATIME_MODES }],
  ['atime', { set: 0n, clear: MS.NOATIME }],
  ['norelatime', { set: 0n, clear: MS.RELATIME }],
  ['nostrictatime', { set: 0n, clear: MS.STRICTATIME }],
  ['bind', { set: MS.BIND, clear: 0n }],
  ['rbind', { set: MS.BIND | MS.REC, clear: 0n }],
]);

const PROPAGATION_WORDS: ReadonlyMap<string, bigint> = new Map([
  ['private', MS.PRIVATE],
  ['rprivate', MS.PRIVATE | MS.REC],
  ['slave', MS.SLAVE],
  ['rslave', MS.SLAVE | MS.REC],
  ['shared', MS.SHARED],
  ['rshared', MS.SHARED | MS.REC],
  ['unbindable', MS.UNBINDABLE],
  ['runbindable', MS.UNBINDABLE | MS.REC],
]);

/** linux/mount.h: attributes of mount_setattr(2). Relative access times are the absence of the others. */
export const MOUNT_ATTR = {
  RDONLY: 0x1n,
  NOSUID: 0x2n,
  NODEV: 0x4n,
  NOEXEC: 0x8n,
  NOATIME: 0x10n,
  STRICTATIME: 0x20n,
  ALL_ATIME: 0x70n,
  NODIRATIME: 0x80n,
  NOSYMFOLLOW: 0x200000n,
} as const;

/** Words of the specification that change a mount and all mounts below it. */
const RECURSIVE_WORDS: ReadonlyMap<string, FlagChange> = new Map([
  ...pair('rro', 'rrw', MOUNT_ATTR.RDONLY),
  ...pair('rnosuid', 'rsuid', MOUNT_ATTR.NOSUID),
  ...pair('rnodev', 'rdev', MOUNT_ATTR.NODEV),
  ...pair('rnoexec', 'rexec', MOUNT_ATTR.NOEXEC),
  ...pair('rnodiratime', 'rdiratime', MOUNT_ATTR.NODIRATIME),
  ...pair('rnosymfollow', 'rsymfollow', MOUNT_ATTR.NOSYMFOLLOW),
  ['rnoatime', { set: MOUNT_ATTR.NOATIME, clear: MOUNT_ATTR.ALL_ATIME }],
  ['rstrictatime', { set: MOUNT_ATTR.STRICTATIME, clear: MOUNT_ATTR.ALL_ATIME }],
  ...['rrelatime', 'rnorelatime', 'ratime', 'rnostrictatime'].map((word): [string, FlagChange] => [
    word,
    { set: 0n, clear: MOUNT_ATTR.ALL_ATIME },
  ]),
]);

/** Every word that is understood, in order; what is left goes to the file system. */
export function listMountWords(): string[] {
  const words = [...FLAG_WORDS.keys(), ...PROPAGATION_WORDS.keys(), ...RECURSIVE_WORDS.keys()];
  return [...words, 'tmpcopyup', 'notmpcopyup'].sort();
}

export interface MountOptions {
  flags: bigint;
  propagation: bigint;
  /** What is left for the file system itself, joined by commas. */
  data: string;
  copyUp: boolean;
  /** Words that ask for ID-mapped mounts. */
  idMapped: boolean;
  /** MOUNT_ATTR_* bits for the mount and all below it. */
  recursiveSet: bigint;
  recursiveClear: bigint;
}

/** Sorts the option words of a mount; a later word wins over an earlier one, as with mount(8). */
export function parseMountOptions(words: readonly string[]): MountOptions {
  const options: MountOptions = {
    flags: 0n,
    propagation: 0n,
    data: '',
    copyUp: false,
    idMapped: false,
    recursiveSet: 0n,
    recursiveClear: 0n,
  };
  const data: string[] = [];
  for (const word of words) {
    if (!applyWord(options, word) && word !== '') data.push(word);
  }
  options.data = data.join(',');
  return options;
}

/** Engines give the type, an option, or both. */
export function isBindMount(type: string | undefined, flags: bigint): boolean {
  return type === 'bind' || (flags & MS.BIND) !== 0n;
}

/** The MS_* flags of one propagation word, undefined for any other word. */
export function propagationFlags(word: string): bigint | undefined {
  return PROPAGATION_WORDS.get(word);
}

function applyWord(options: MountOptions, word: string): boolean {
  const recursive = RECURSIVE_WORDS.get(word);
  if (recursive !== undefined) {
    options.recursiveSet = (options.recursiveSet & ~recursive.clear) | recursive.set;
    options.recursiveClear = (options.recursiveClear & ~recursive.set) | recursive.clear;
    return true;
  }
  const change = FLAG_WORDS.get(word);
  if (change !== undefined) {
    options.flags = (options.flags & ~change.clear) | change.set;
    return true;
  }
  const propagation = propagationFlags(word);
  if (propagation !== undefined) {
    options.propagation = propagation;
    return true;
  }
  if (word === 'tmpcopyup' || word === 'notmpcopyup') {
    options.copyUp = word === 'tmpcopyup';
    return true;
  }
  if (word === 'idmap' || word === 'ridmap') options.idMapped = true;
  return word === 'idmap' || word === 'ridmap';
}

function pair(setWord: string, clearWord: string, flag: bigint): [string, FlagChange][] {
  return [
    [setWord, { set: flag, clear: 0n }],
    [clearWord, { set: 0n, clear: flag }],
  ];
}
