import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { readJsonFile } from '../host/files.ts';
import type { BootSource } from '../machine/machine-config.ts';
import { hasErrno, WardianError } from '../util/errors.ts';

/** The mini-OS that sandboxes run. */
export interface Guest {
  readonly boot: BootSource;
  /** Changes with every change of what the guest consists of. */
  readonly fingerprint: string;
  readonly kernelRelease: string;
  /** SHA-256 of what it boots from, by path. */
  readonly checksums: Readonly<Record<string, string>>;
  /** A static busybox, for the built-in image. */
  readonly busyboxPath: string;
}

const MAX_MANIFEST_BYTES = 64 * 1024;
const HASH = /^[0-9a-f]{64}$/;

/** Finds kernel and initramfs by the manifest that the set-up wrote; HOST_SETUP_MISSING when something is not there. */
export async function loadGuest(cacheDirectory: string): Promise<Guest> {
  const manifestPath = path.join(cacheDirectory, 'guest', 'manifest.json');
  const distro = parseManifest(await readManifest(manifestPath), manifestPath);
  const { kernel, initramfs, busybox } = distro;
  await Promise.all([kernel, initramfs, busybox].map(checkPresent));
  return {
    boot: {
      kernelPath: kernel,
      initramfsPath: initramfs,
      acpi: distro.acpi,
      parameters: distro.parameters,
    },
    fingerprint: createHash('sha256')
      .update(
        JSON.stringify([distro.kernelHash, distro.initramfsHash, distro.acpi, distro.parameters]),
      )
      .digest('hex'),
    kernelRelease: distro.kernelRelease,
    checksums: { [kernel]: distro.kernelHash, [initramfs]: distro.initramfsHash },
    busyboxPath: busybox,
  };
}

/** The error for a kernel or initramfs that is not what the set-up made. Reads both, so only to be asked when a start failed. */
export async function findGuestDamage(guest: Guest): Promise<WardianError | undefined> {
  for (const [filePath, checksum] of Object.entries(guest.checksums)) {
    const content = await readFile(filePath).catch(() => Buffer.alloc(0)); // gone: as bad as damaged
    if (createHash('sha256').update(content).digest('hex') === checksum) continue;
    return new WardianError('STATE_CORRUPT', `the guest's ${filePath} is damaged`, {
      hint: `remove the folder ${path.dirname(filePath)}; ./wardian makes it again`,
    });
  }
  return undefined;
}

interface Distro {
  readonly kernel: string;
  readonly initramfs: string;
  readonly busybox: string;
  readonly kernelRelease: string;
  readonly acpi: boolean;
  readonly parameters: readonly string[];
  readonly kernelHash: string;
  readonly initramfsHash: string;
}

async function readManifest(manifestPath: string): Promise<unknown> {
  try {
    return await readJsonFile(manifestPath, MAX_MANIFEST_BYTES);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) throw missing(manifestPath, error);
    throw error;
  }
}

function parseManifest(value: unknown, manifestPath: string): Distro {
  const manifest = asObject(value);
  const distro = asObject(manifest?.['distro']);
  const hashes = asObject(distro?.['sha256']);
  if (manifest?.['version'] !== 1 || distro === undefined || hashes === undefined) {
    throw corrupt(manifestPath);
  }
  const text = (object: Record<string, unknown>, key: string, pattern: RegExp): string => {
    const found = object[key];
    if (typeof found === 'string' && pattern.test(found)) return found;
    throw corrupt(manifestPath);
  };
  const { acpi, parameters } = distro;
  if (typeof acpi !== 'boolean' || !isTextList(parameters)) throw corrupt(manifestPath);
  return {
    kernel: text(distro, 'kernel', /^\//),
    initramfs: text(distro, 'initramfs', /^\//),
    busybox: text(distro, 'busybox', /^\//),
    kernelRelease: text(distro, 'kernelRelease', /^[\w.+~-]+$/),
    acpi,
    parameters,
    kernelHash: text(hashes, 'kernel', HASH),
    initramfsHash: text(hashes, 'initramfs', HASH),
  };
}

function isTextList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string');
}

function asObject(value: unknown): Record<string, unknown> | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  return value as Record<string, unknown>;
}

async function checkPresent(filePath: string): Promise<void> {
  try {
    await stat(filePath);
  } catch (error) {
    throw missing(filePath, error);
  }
}

function missing(filePath: string, cause: unknown): WardianError {
  return new WardianError('HOST_SETUP_MISSING', `the guest's ${filePath} is not there`, {
    cause,
    hint: './wardian check, which sets up what is missing',
  });
}

function corrupt(manifestPath: string): WardianError {
  return new WardianError('STATE_CORRUPT', `${manifestPath} is not a guest manifest`, {
    hint: 'remove that file, then run ./wardian check',
  });
}
