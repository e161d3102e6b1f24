import { lstatSync, readlinkSync } from 'node:fs';
import { posix } from 'node:path';
import type { Spec } from '../../oci/runtime-spec/types.ts';
import { hasErrno, WardianError } from '../../util/errors.ts';

/** As many as the kernel follows (path_resolution(7)). */
const MAX_LINKS = 40;

/** What is known of a path in a root file system; `unknown`: a mount covers it, and only the guest can say. */
type Finding = 'program' | 'not executable' | 'missing' | 'unknown';

/**
 * Fails as `start` would when the command cannot be there: engines expect `create` to say so, and have an exit code for it.
 * What lies below a mount is left to the guest.
 */
export function checkCommand({ process, mounts = [] }: Spec, rootfs: string): void {
  const [command] = process?.args ?? [];
  if (process === undefined || command === undefined || command === '') return;
  const destinations = mounts.map(({ destination }) => posix.resolve('/', destination));
  const tree: Tree = { rootfs, covered: new Set(destinations) };
  for (const destination of destinations) {
    // Where links lead to is covered, too.
    tree.covered.add(resolveInRoot({ rootfs, covered: new Set() }, destination));
  }
  const findings = listCandidates(command, process).map((place) => look(tree, place));
  if (findings.length === 0 || findings.includes('program') || findings.includes('unknown')) return;
  const shown = JSON.stringify(command.slice(0, 200));
  if (findings.includes('not executable')) {
    throw new WardianError('COMMAND_NOT_EXECUTABLE', `exec ${shown}: permission denied`);
  }
  const where = command.includes('/') ? '' : ' not found in $PATH';
  throw new WardianError(
    'COMMAND_NOT_FOUND',
    `executable file ${shown}${where}: no such file or directory`,
  );
}

interface Tree {
  readonly rootfs: string;
  /** Places that mounts are on. */
  readonly covered: Set<string>;
}

/** Where the guest looks; none when it has a PATH of its own choosing. */
function listCandidates(
  command: string,
  { env = [], cwd }: { env?: string[]; cwd: string },
): string[] {
  // Not made shorter: ".." means what the links before it lead to.
  const join = (folder: string, name: string) =>
    name.startsWith('/') ? name : `${folder}/${name}`;
  if (command.includes('/')) return [join(cwd, command)];
  const entry = env.findLast((variable) => variable.startsWith('PATH='));
  if (entry === undefined) return [];
  const folders = entry.slice('PATH='.length).split(':');
  return folders.map((folder) => `${join(cwd, folder)}/${command}`);
}

function look(tree: Tree, candidate: string): Finding {
  const place = resolveInRoot(tree, candidate);
  if (place === 'missing' || place === 'unknown') return place;
  const status = lstatSync(tree.rootfs + place);
  return status.isFile() && (status.mode & 0o111) !== 0 ? 'program' : 'not executable';
}

/** Follows a path as a process whose root is that folder does; what it returns has no links any more. */
function resolveInRoot(tree: Tree, candidate: string): string {
  try {
    return walk(tree, candidate);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG')) return 'missing';
    if (hasErrno(error, 'EACCES')) return 'unknown';
    throw error;
  }
}

function walk({ rootfs, covered }: Tree, candidate: string): string {
  const rest = candidate.split('/').filter(Boolean);
  let place = '';
  for (let links = 0; rest.length > 0; ) {
    const name = rest.shift() as string;
    if (name === '.') continue;
    const next =
      name === '..' ? posix.dirname(place || '/').replace(/^\/$/, '') : `${place}/${name}`;
    if (covered.has(next)) return 'unknown';
    const link = readLink(rootfs + next);
    if (link === null)
      return isBelowMount(covered, [next, ...rest].join('/')) ? 'unknown' : 'missing';
    if (link === undefined) {
      place = next;
      continue;
    }
    links += 1;
    if (links > MAX_LINKS) return 'missing';
    if (link.startsWith('/')) place = '';
    rest.unshift(...link.split('/').filter(Boolean));
  }
  return place || '/';
}

/** Folders on the way to the place of a mount are made with it, and so is the file that another file is mounted on. */
function isBelowMount(covered: ReadonlySet<string>, place: string): boolean {
  return [...covered].some((mount) => `${place}/`.startsWith(`${mount}/`));
}

/** Where a link leads; undefined for what is none, null for nothing. */
function readLink(path: string): string | null | undefined {
  const status = lstatSync(path, { throwIfNoEntry: false });
  if (status === undefined) return null;
  return status.isSymbolicLink() ? readlinkSync(path) : undefined;
}
