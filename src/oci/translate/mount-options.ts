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

/** The words that the specification gives a recursive form ("rro" for "ro"). */
const RECURSIVE_WORDS = new Set(
  [
    ...['ro', 'rw', 'nosuid', 'suid', 'nodev', 'dev', 'noexec', 'exec', 'nodiratime', 'diratime'],
    ...['noatime', 'atime', 'relatime', 'norelatime', 'strictatime', 'nostrictatime'],
    ...['symfollow', 'nosymfollow'],
  ].map((word) => `r${word}`),
);

/** Every word that is understood, in order; what is left goes to the file system. */
export function listMountWords(): string[] {
  const words = [...FLAG_WORDS.keys(), ...PROPAGATION_WORDS.keys(), ...RECURSIVE_WORDS];
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
  /** Recursive attribute words, which differ from the plain ones only on a tree of mounts. */
  recursiveAttributes: string[];
}

/** Sorts the option words of a mount; a later word wins over an earlier one, as with mount(8). */
export function parseMountOptions(words: readonly string[]): MountOptions {
  const options: MountOptions = {
    flags: 0n,
    propagation: 0n,
    data: '',
    copyUp: false,
    idMapped: false,
    recursiveAttributes: [],
  };
  const data: string[] = [];
  for (const word of words) {
    if (!applyWord(options, word) && word !== '') data.push(word);
  }
  options.data = data.join(',');
  return options;
}

/** The MS_* flags of one propagation word, undefined for any other word. */
export function propagationFlags(word: string): bigint | undefined {
  return PROPAGATION_WORDS.get(word);
}

function applyWord(options: MountOptions, word: string): boolean {
  const isRecursive = RECURSIVE_WORDS.has(word);
  if (isRecursive) options.recursiveAttributes.push(word);
  const change = FLAG_WORDS.get(isRecursive ? word.slice(1) : word);
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
