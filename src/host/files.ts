import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { nameFullDisk, WardianError } from '../util/errors.ts';

/** What a file gets that only its owner has business with. */
const PRIVATE_MODE = 0o600;

/**
 * Replaces a file so that a reader, or a crash at any instant, meets the old or the new content, never a mixture.
 * The mode is exact, whatever the umask.
 */
export async function writeFileAtomic(
  filePath: string,
  data: string | Uint8Array,
  options: { mode?: number } = {},
): Promise<void> {
  const directory = path.dirname(filePath);
  const suffix = `${process.pid}.${randomBytes(6).toString('hex')}.tmp`;
  const temporary = path.join(directory, `.${path.basename(filePath)}.${suffix}`);
  try {
    await writeNewFile(temporary, data, options.mode ?? PRIVATE_MODE);
    await rename(temporary, filePath);
  } catch (error) {
    await rm(temporary, { force: true });
    throw nameFullDisk(error, directory);
  }
  await syncDirectory(directory);
}

/** Makes what was created, renamed or removed in a folder last. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Reads a state file of ours: a regular file of at most `maxBytes` that holds JSON, or STATE_CORRUPT.
 * A file that is not there is a plain ENOENT, for the caller to understand.
 */
export async function readJsonFile(filePath: string, maxBytes: number): Promise<unknown> {
  const handle = await openRegularFile(filePath);
  try {
    const { size } = await handle.stat();
    if (size > maxBytes) throw corrupt(filePath, `has ${size} bytes, more than ${maxBytes}`);
    return JSON.parse(await handle.readFile('utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) throw corrupt(filePath, 'is not JSON', error);
    throw error;
  } finally {
    await handle.close();
  }
}

/** Opens a file for reading, without waiting for anybody when it turns out to be a pipe or a device. */
async function openRegularFile(filePath: string): Promise<FileHandle> {
  const handle = await open(filePath, constants.O_RDONLY | constants.O_NONBLOCK);
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw corrupt(filePath, 'is not a regular file');
}

async function writeNewFile(
  filePath: string,
  data: string | Uint8Array,
  mode: number,
): Promise<void> {
  const handle = await open(filePath, 'wx', mode);
  try {
    await handle.chmod(mode);
    await handle.writeFile(data);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function corrupt(filePath: string, what: string, cause?: unknown): WardianError {
  return new WardianError('STATE_CORRUPT', `${filePath} ${what}`, {
    cause,
    hint: 'remove that file; what it described has to be made again',
  });
}
