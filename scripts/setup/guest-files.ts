import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';

/** How the guest's files are written: whole or not at all, and readable by everybody. */

const WORLD_READABLE = 0o644;
export const WORLD_ENTERABLE = 0o755;

/** Writes content under a name that tells its hash, unless it is there. */
export function store(
  directory: string,
  name: string,
  content: Buffer,
  mode = WORLD_READABLE,
): string {
  const target = storePath(directory, name, content);
  if (!existsSync(target)) writeAtomically(target, content, mode);
  return target;
}

export function storePath(directory: string, name: string, content: Buffer): string {
  return path.join(directory, `${name}-${sha256(content).slice(0, 16)}`);
}

export function writeAtomically(
  target: string,
  content: Buffer | string,
  mode = WORLD_READABLE,
): void {
  const folder = mkdtempSync(path.join(path.dirname(target), '.writing-'));
  try {
    const temporary = path.join(folder, path.basename(target));
    writeFileSync(temporary, content, { flush: true });
    // chmod rather than `mode:`, which the umask would narrow.
    chmodSync(temporary, mode);
    renameSync(temporary, target);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Old enough that nobody can be at work on it: another checkout may share the cache. */
const LEFTOVER_AGE_MS = 3_600_000;

/** What a set-up that was killed left behind. */
export function removeLeftovers(directory: string): void {
  removeOld(directory, (name) => /^\.(package|writing)-/.test(name));
}

/** Each agent makes a new initramfs; a machine that boots from an older one has read it long ago. */
export function removeOldInitramfs(directory: string, current: readonly string[]): void {
  const kept = current.map((file) => path.basename(file));
  removeOld(directory, (name) => name.startsWith('initramfs-') && !kept.includes(name));
}

function removeOld(directory: string, isMeant: (name: string) => boolean): void {
  for (const name of readdirSync(directory).filter(isMeant)) {
    const file = path.join(directory, name);
    const isOld = Date.now() - statSync(file).mtimeMs > LEFTOVER_AGE_MS;
    if (isOld) rmSync(file, { recursive: true, force: true });
  }
}

export function readJson<T>(file: string): T | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as T;
  } catch {
    return undefined; // absent or damaged: made again
  }
}

export function toJson(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

export function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
