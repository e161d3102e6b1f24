import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { captureCommand } from '../host/spawn.ts';
import { parseImageDocument } from '../oci/image-spec/image-config.ts';
import { hasErrno, WardianError } from '../util/errors.ts';
import { type BuildContext, type BuiltImage, buildImage } from './build-image.ts';
import type { ImageRecord } from './image-record.ts';
import type { ImageStore } from './image-store.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import { createTemporaryFolder } from './temporary-folder.ts';
import { newEntry } from './tree/new-entry.ts';

const NAME = 'localhost/busybox:latest';
const SOURCE_LABEL = 'io.wardian.built-in';

/** To be raised whenever the files below change, so that the image gets another id. */
const RECIPE_VERSION = 1;

/** Listing applets takes milliseconds; a binary that hangs is not busybox. */
const LIST_TIMEOUT_MS = 10_000;
const MAX_LIST_BYTES = 64 * 1024;

const DIRECTORIES: Readonly<Record<string, number>> = {
  dev: 0o755,
  etc: 0o755,
  home: 0o755,
  proc: 0o555,
  root: 0o700,
  run: 0o755,
  sys: 0o555,
  tmp: 0o1777,
  'usr/local/bin': 0o755,
  'var/log': 0o755,
  'var/tmp': 0o1777,
};

const FILES: Readonly<Record<string, string>> = {
  'etc/passwd':
    'root:x:0:0:root:/root:/bin/sh\n' +
    'daemon:x:1:1:daemon:/usr/sbin:/bin/false\n' +
    'www-data:x:33:33:www-data:/var/www:/bin/false\n' +
    'nobody:x:65534:65534:nobody:/home:/bin/false\n',
  'etc/group':
    'root:x:0:\ndaemon:x:1:\ntty:x:5:\nstaff:x:50:\nwww-data:x:33:\nusers:x:100:\nnogroup:x:65534:\n',
  'etc/hosts': '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n',
  'etc/resolv.conf': '',
  'etc/shells': '/bin/sh\n/bin/ash\n',
};

/**
 * Makes `localhost/busybox:latest` from a statically linked busybox (Debian's busybox-static), so that the first
 * container needs no registry. Does nothing when the image of that binary is there, or another one has the name.
 */
export async function importBuiltInImage(
  store: ImageStore,
  busyboxBinaryPath: string,
): Promise<ImageRecord> {
  const binary = await readBinary(busyboxBinaryPath);
  const config = makeConfig(binary);
  const id = createHash('sha256').update(config).digest('hex');
  const present = await findPresent(store);
  if (present !== undefined && (present.id === id || !isBuiltIn(present))) return present;
  return store.add({
    id,
    digest: `sha256:${id}`,
    names: [NAME],
    document: parseImageDocument(config, 'the configuration of the built-in image'),
    build: (context) => buildFromBusybox(busyboxBinaryPath, binary, context),
  });
}

/**
 * Writes the built-in image to a file of its own, outside of any store and whatever another image may be called:
 * for guests that run something before anybody's image is known. Does nothing when the file is there.
 */
export async function writeBuiltInImage(
  busyboxBinaryPath: string,
  directory: string,
): Promise<string> {
  const binary = await readBinary(busyboxBinaryPath);
  const id = createHash('sha256').update(makeConfig(binary)).digest('hex');
  const target = path.join(directory, `busybox-${id.slice(0, 16)}.erofs`);
  if (existsSync(target)) return target;
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const temporaryDirectory = await createTemporaryFolder(directory);
  try {
    const context = { temporaryDirectory, limits: DEFAULT_LIMITS };
    const { filePath } = await buildFromBusybox(busyboxBinaryPath, binary, context);
    await chmod(filePath, 0o444);
    await rename(filePath, target); // another process may have made the same one
  } finally {
    await rm(temporaryDirectory, { recursive: true, force: true });
  }
  return target;
}

async function readBinary(busyboxBinaryPath: string): Promise<Buffer> {
  try {
    return await readFile(busyboxBinaryPath);
  } catch (cause) {
    if (!hasErrno(cause, 'ENOENT')) throw cause;
    throw new WardianError('HOST_SETUP_MISSING', `${busyboxBinaryPath} is not there`, {
      cause,
      hint: 'install it: apt install busybox-static',
    });
  }
}

/** No date in it: the image is a function of the binary. */
function makeConfig(binary: Buffer): Buffer {
  const digest = createHash('sha256').update(binary).digest('hex');
  const config = {
    architecture: 'amd64',
    os: 'linux',
    config: {
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      Cmd: ['sh'],
      Labels: { [SOURCE_LABEL]: `busybox ${RECIPE_VERSION} sha256:${digest}` },
    },
    rootfs: { type: 'layers', diff_ids: [] },
  };
  return Buffer.from(JSON.stringify(config));
}

async function findPresent(store: ImageStore): Promise<ImageRecord | undefined> {
  try {
    return await store.find(NAME);
  } catch (error) {
    // A damaged one is made again.
    const isAbsent = error instanceof WardianError && error.code === 'IMAGE_NOT_FOUND';
    const isDamaged = error instanceof WardianError && error.code === 'STATE_CORRUPT';
    if (isAbsent || isDamaged) return undefined;
    throw error;
  }
}

function isBuiltIn({ config }: ImageRecord): boolean {
  return config.labels[SOURCE_LABEL] !== undefined;
}

async function buildFromBusybox(
  busyboxBinaryPath: string,
  binary: Buffer,
  context: BuildContext,
): Promise<BuiltImage> {
  const applets = await listApplets(busyboxBinaryPath);
  return buildImage(context, async (tree, spool) => {
    tree.beginLayer('the built-in image');
    for (const [name, mode] of Object.entries(DIRECTORIES)) {
      tree.add(newEntry(name, 'directory', mode));
    }
    for (const [name, text] of Object.entries(FILES)) {
      tree.add(newEntry(name, 'file', 0o644), await spool.append(once(Buffer.from(text))));
    }
    tree.add(newEntry('bin/busybox', 'file', 0o755), await spool.append(once(binary)));
    for (const applet of applets) {
      tree.add({ ...newEntry(applet, 'hard-link', 0o755), linkName: 'bin/busybox' });
    }
  });
}

/** Paths of all applets (`usr/bin/awk`), as the binary itself says. */
async function listApplets(busyboxBinaryPath: string): Promise<string[]> {
  const { stdout } = await captureCommand(busyboxBinaryPath, ['--list-full'], {
    timeoutMs: LIST_TIMEOUT_MS,
    maxOutputBytes: MAX_LIST_BYTES,
  });
  const applets = stdout.split('\n').filter((line) => line !== '' && line !== 'bin/busybox');
  if (applets.includes('bin/sh')) return applets;
  throw new WardianError(
    'HOST_SETUP_MISSING',
    `${busyboxBinaryPath} is not a busybox with a shell`,
    {
      hint: 'install it: apt install busybox-static',
    },
  );
}

async function* once(data: Buffer): AsyncGenerator<Buffer> {
  yield data;
}
