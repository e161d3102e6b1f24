import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findDirectories } from '../../src/host/directories.ts';
import { skipWithout } from './erofs-tools.ts';

/** A Debian image with Python, made from Debian's packages: what people run, not what a test would think of. */

const PACKAGES = ['python3'];
const SUITE = 'bookworm';
/** Raise it when the base is made in another way. */
const RECIPE_VERSION = 1;
export const LIST_TREE = fileURLToPath(new URL('list-tree.py', import.meta.url));
const ODD_FILES = fileURLToPath(new URL('odd-files.py', import.meta.url));
/** As umoci-config(1) takes it. */
const CONFIGURATION = [
  ...['--config.user', 'games', '--config.env', 'COLOUR=green', '--config.env', 'EMPTY='],
  ...['--config.workingdir', '/odd/links', '--config.stopsignal', 'SIGUSR1'],
  ...['--config.entrypoint', 'sh', '--config.entrypoint', '-c', '--config.label', 'a.b=c d'],
  ...['--config.cmd', 'echo $COLOUR-$EMPTY-$HOME; id -un; pwd'],
];
/** Room for the packages that mmdebstrap and its children print about. */
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

const execute = promisify(execFile);

/** Runs a program and returns what it printed. */
export async function run(program: string, argv: readonly string[]): Promise<string> {
  const { stdout } = await execute(program, argv, { maxBuffer: MAX_OUTPUT_BYTES });
  return stdout;
}

/** False, or why there can be no Debian image here. */
export function skipWithoutDebian(): string | false {
  if (process.getuid?.() !== 0) return 'only root can make a Debian root file system';
  return (
    skipWithout('mmdebstrap') ||
    skipWithout('umoci') ||
    skipWithout('skopeo') ||
    skipWithout('buildah') ||
    skipWithout('python3')
  );
}

/** What the tests load; made once and kept in the cache. */
export interface DebianImages {
  /** OCI layout with the image `base`: Debian as it comes. */
  readonly debian: string;
  /** OCI layout `odd` with the images `latest`, two layers of odd files above Debian, and `configured`. */
  readonly odd: string;
  /** What list-tree.py says of the folder that the layers of `odd` amount to. */
  readonly tree: string;
}

/** Folders that every machine and container fills, and files that each container gets: no part of the comparison. */
export const FOREIGN = [
  'dev',
  'proc',
  'sys',
  'run',
  'etc/hosts',
  'etc/hostname',
  'etc/resolv.conf',
];

/** The images, from the cache or made now, for which Debian's mirror must be reachable. */
export async function prepareDebianImages(): Promise<DebianImages> {
  const debian = await prepareDebian();
  const programs = [readFileSync(ODD_FILES, 'utf8'), readFileSync(LIST_TREE, 'utf8')];
  const odd = await prepare('odd', [debian, CONFIGURATION, FOREIGN, ...programs], (work) =>
    makeOdd(debian, work),
  );
  const tree = await readFile(path.join(odd, 'tree'), 'utf8');
  return { debian: path.join(debian, 'layout'), odd: path.join(odd, 'odd'), tree };
}

/** OCI layout with the image `base`, Debian as it comes: all that is needed where nothing is compared. */
export async function prepareDebianLayout(): Promise<string> {
  return path.join(await prepareDebian(), 'layout');
}

function prepareDebian(): Promise<string> {
  return prepare('debian', [PACKAGES], makeDebian);
}

/** A folder that is made once for the same ingredients. */
async function prepare(
  name: string,
  ingredients: readonly unknown[],
  make: (work: string) => Promise<void>,
): Promise<string> {
  const { cache } = findDirectories(process.env, process.getuid?.() ?? -1);
  const parent = path.join(cache, 'test-images');
  const key = createHash('sha256').update(JSON.stringify([RECIPE_VERSION, SUITE, ingredients]));
  const folder = path.join(parent, `${name}-${key.digest('hex').slice(0, 16)}`);
  if (existsSync(folder)) return folder;
  await mkdir(parent, { recursive: true });
  const old = (await readdir(parent)).filter((entry) => entry.startsWith(`${name}-`));
  for (const entry of old) await rm(path.join(parent, entry), { recursive: true });
  const work = await mkdtemp(path.join(parent, '.making-'));
  try {
    await make(work);
    await rename(work, folder);
  } catch (error) {
    await rm(work, { recursive: true });
    throw error;
  }
  return folder;
}

async function makeDebian(work: string): Promise<void> {
  const [tar, bundle] = [path.join(work, 'root.tar'), path.join(work, 'bundle')];
  const include = `--include=${PACKAGES.join(',')}`;
  await run('mmdebstrap', ['--quiet', '--mode=root', '--variant=minbase', include, SUITE, tar]);
  const image = `${path.join(work, 'layout')}:base`;
  await run('umoci', ['init', '--layout', path.join(work, 'layout')]);
  await run('umoci', ['new', '--image', image]);
  await run('umoci', ['unpack', '--image', image, bundle]);
  const extract = ['-xpf', tar, '--numeric-owner', '--xattrs', '--xattrs-include=*'];
  await run('tar', ['-C', path.join(bundle, 'rootfs'), ...extract]);
  await run('umoci', ['repack', '--image', image, bundle]);
  await rm(tar);
  await rm(bundle, { recursive: true });
}

async function makeOdd(debian: string, work: string): Promise<void> {
  const [layout, bundle] = [path.join(work, 'odd'), path.join(work, 'bundle')];
  const rootfs = path.join(bundle, 'rootfs');
  await cp(path.join(debian, 'layout'), layout, { recursive: true });
  await run('umoci', ['unpack', '--image', `${layout}:base`, bundle]);
  for (const action of ['add', 'change']) {
    await run('python3', [ODD_FILES, rootfs, action]);
    await run('umoci', ['repack', '--refresh-bundle', '--image', `${layout}:latest`, bundle]);
  }
  const configure = ['config', '--image', `${layout}:latest`, '--tag', 'configured'];
  await run('umoci', [...configure, ...CONFIGURATION]);
  await run('umoci', ['rm', '--image', `${layout}:base`]);
  await writeFile(path.join(work, 'tree'), await run('python3', [LIST_TREE, rootfs, ...FOREIGN]));
  await rm(bundle, { recursive: true });
}
