import { execFile } from 'node:child_process';
import { accessSync } from 'node:fs';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** False, or why a test must be skipped: the text for node:test. */
export function skipWithout(command: string, debianPackage = command): string | false {
  for (const folder of (process.env['PATH'] ?? '').split(':')) {
    try {
      accessSync(path.join(folder, command));
      return false;
    } catch {} // ENOENT: not in this folder.
  }
  return `${command} is not installed (apt install ${debianPackage})`;
}

/** Lets the format's own tools check an image, and unpacks it into a folder that is not there yet. */
export async function extractErofs(imagePath: string, folder: string): Promise<void> {
  // Only root's files keep their permissions unasked.
  await run('fsck.erofs', [`--extract=${folder}`, '--preserve-perms', imagePath]);
}

export interface SeenFile {
  kind: 'file' | 'directory' | 'symlink' | 'other';
  /** Permission bits; those of symbolic links mean nothing. */
  mode: number;
  /** Content of a file, target of a link. */
  content: string;
}

/** What a folder holds, by path; names, contents and targets have one character for each byte. */
export async function readFolder(folder: string, prefix = ''): Promise<Map<string, SeenFile>> {
  const seen = new Map<string, SeenFile>();
  for (const name of (await readdir(asBytes(folder), 'buffer')).map(asText).sort()) {
    const filePath = `${folder}/${name}`;
    const status = await lstat(asBytes(filePath));
    const mode = status.mode & 0o7777;
    const key = prefix + name;
    if (status.isSymbolicLink()) {
      const target = asText(await readlink(asBytes(filePath), 'buffer'));
      seen.set(key, { kind: 'symlink', mode: 0o777, content: target });
    } else if (status.isFile()) {
      seen.set(key, { kind: 'file', mode, content: asText(await readFile(asBytes(filePath))) });
    } else if (status.isDirectory()) {
      seen.set(key, { kind: 'directory', mode, content: '' });
      for (const [inner, file] of await readFolder(filePath, `${key}/`)) seen.set(inner, file);
    } else seen.set(key, { kind: 'other', mode, content: '' });
  }
  return seen;
}

function asBytes(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

function asText(bytes: Buffer): string {
  return bytes.toString('latin1');
}
