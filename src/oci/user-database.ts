import { WardianError } from '../util/errors.ts';

/** The texts of an image's /etc/passwd and /etc/group; empty where the image has none. */
export interface UserDatabase {
  passwd: string;
  group: string;
}

export interface ResolvedUser {
  uid: number;
  gid: number;
  additionalGids: number[];
  home: string;
}

interface PasswdEntry {
  name: string;
  uid: number;
  gid: number;
  home: string;
}

interface GroupEntry {
  name: string;
  gid: number;
  members: string[];
}

/** (uid_t)-1 means "leave it" to the kernel; beyond 2^31 programs disagree about the sign. */
const MAXIMUM_ID = 2 ** 31 - 1;
/** NGROUPS_MAX. */
const MAXIMUM_GROUPS = 65536;
/** An image chooses the size of its files; no honest one is near this. */
const MAXIMUM_DATABASE_LENGTH = 4 * 1024 * 1024;

/**
 * Resolves `user[:group]` (names or numbers, as podman takes them) against the image's files. Numbers
 * need no entry. Groups of the group file that list the user are added unless a group is named.
 * Fails with USER_NOT_FOUND.
 */
export function resolveUser(specification: string, database: UserDatabase): ResolvedUser {
  const [userPart, groupPart] = splitSpecification(specification);
  const users = parsePasswd(database.passwd);
  const groups = parseGroup(database.group);
  const user = findUser(userPart, users);
  const gid = groupPart === '' ? user.gid : findGroup(groupPart, groups);
  const further = groupPart === '' ? groupsOf(user.name, groups) : [];
  return {
    uid: user.uid,
    gid,
    // The main group too: a process that drops it (by a set-group-id program) must not escape what is denied to it.
    additionalGids: [...new Set([gid, ...further])].slice(0, MAXIMUM_GROUPS),
    home: user.home,
  };
}

function splitSpecification(specification: string): [string, string] {
  const [user = '', group = '', ...more] = specification.split(':');
  if (more.length > 0) {
    throw new WardianError('USAGE', `user "${specification}" has more than one colon`, {
      hint: 'write user, user:group, uid or uid:gid',
    });
  }
  return [user, group];
}

function findUser(wanted: string, users: PasswdEntry[]): PasswdEntry {
  const name = wanted === '' ? '0' : wanted;
  const uid = parseId(name);
  // A name made of digits wins over the number, as in getpwnam before atoi in every other engine.
  const entry = users.find((user) => user.name === name) ?? users.find((user) => user.uid === uid);
  if (entry !== undefined) return entry;
  if (uid !== undefined) return { name: '', uid, gid: 0, home: '/' };
  throw notFound('user', wanted, '/etc/passwd');
}

function findGroup(wanted: string, groups: GroupEntry[]): number {
  const entry = groups.find((group) => group.name === wanted);
  const gid = entry?.gid ?? parseId(wanted);
  if (gid === undefined) throw notFound('group', wanted, '/etc/group');
  return gid;
}

function notFound(kind: string, name: string, file: string): WardianError {
  const shown = name.slice(0, 64);
  return new WardianError('USER_NOT_FOUND', `no ${kind} "${shown}" in the image's ${file}`, {
    hint: `give a name that ${file} has, or a number`,
  });
}

function groupsOf(name: string, groups: GroupEntry[]): number[] {
  if (name === '') return [];
  const own = groups.filter((group) => group.members.includes(name)).map((group) => group.gid);
  return own;
}

/** Lines that are not well-formed are passed over, as the C library does. */
function parsePasswd(text: string): PasswdEntry[] {
  return splitLines(text).flatMap(([name = '', , uidText = '', gidText = '', , home = '']) => {
    const uid = parseId(uidText);
    const gid = parseId(gidText);
    if (name === '' || uid === undefined || gid === undefined) return [];
    return [{ name, uid, gid, home: home.startsWith('/') ? home : '/' }];
  });
}

function parseGroup(text: string): GroupEntry[] {
  return splitLines(text).flatMap(([name = '', , gidText = '', members = '']) => {
    const gid = parseId(gidText);
    if (name === '' || gid === undefined) return [];
    return [{ name, gid, members: members.split(',') }];
  });
}

function splitLines(text: string): string[][] {
  return text
    .slice(0, MAXIMUM_DATABASE_LENGTH)
    .split('\n')
    .map((line) => line.trim().split(':'));
}

function parseId(text: string): number | undefined {
  const id = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  return id <= MAXIMUM_ID ? id : undefined;
}
