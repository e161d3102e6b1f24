import { createHash } from 'node:crypto';
import { access, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { readJsonFile } from '../host/files.ts';
import type { Accelerator } from '../hypervisor/driver.ts';
import type { BootSource } from '../machine/machine-config.ts';
import { hasErrno, WardianError } from '../util/errors.ts';
import {
  type GuestManifest,
  type ManifestGuest,
  type ManifestQemu,
  parseGuestManifest,
} from './guest-manifest.ts';

/** Whose kernel a sandbox runs: the distribution's, or the one that `wardian guest build` made. */
export type GuestName = 'distro' | 'mini';

export const GUEST_NAMES: readonly GuestName[] = ['distro', 'mini'];

/** The mini-OS that sandboxes run. */
export interface Guest {
  readonly name: GuestName;
  readonly boot: BootSource;
  /** Changes with every change of what the guest consists of. */
  readonly fingerprint: string;
  readonly kernelRelease: string;
  /** SHA-256 of what it boots from, by path. */
  readonly checksums: Readonly<Record<string, string>>;
}

/** All guests, and the VMM, that are there to be used. */
export interface Guests {
  readonly distro: Guest;
  /** By the accelerator that the kernel was built for. */
  readonly mini: Readonly<Partial<Record<Accelerator, Guest>>>;
  readonly qemu: ManifestQemu | undefined;
  /** A static busybox, for the built-in image. */
  readonly busyboxPath: string;
}

const MAX_MANIFEST_BYTES = 64 * 1024;

export function getManifestPath(cacheDirectory: string): string {
  return path.join(cacheDirectory, 'guest', 'manifest.json');
}

/**
 * Finds what sandboxes can boot by the manifest that the set-up wrote. HOST_SETUP_MISSING when the distribution's
 * kernel is not there; what was built and has gone since counts as not built.
 */
export async function loadGuests(cacheDirectory: string): Promise<Guests> {
  const manifest = await readManifest(getManifestPath(cacheDirectory));
  const { distro, busybox, qemu } = manifest;
  await Promise.all([distro.kernel, distro.initramfs, busybox].map(checkPresent));
  return {
    distro: describeGuest('distro', distro),
    mini: await findMini(manifest.mini),
    qemu: qemu !== undefined && (await isPresent(qemu.path)) ? qemu : undefined,
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

async function readManifest(manifestPath: string): Promise<GuestManifest> {
  const manifest = parseGuestManifest(await readManifestFile(manifestPath));
  if (manifest !== undefined) return manifest;
  throw new WardianError('STATE_CORRUPT', `${manifestPath} is not a guest manifest`, {
    hint: 'remove that file, then run ./wardian check',
  });
}

async function readManifestFile(manifestPath: string): Promise<unknown> {
  try {
    return await readJsonFile(manifestPath, MAX_MANIFEST_BYTES);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) throw missing(manifestPath, error);
    throw error;
  }
}

function describeGuest(name: GuestName, described: ManifestGuest): Guest {
  const { kernel, initramfs, kernelHash, initramfsHash, acpi, parameters } = described;
  return {
    name,
    boot: { kernelPath: kernel, initramfsPath: initramfs, acpi, parameters },
    fingerprint: createHash('sha256')
      .update(JSON.stringify([kernelHash, initramfsHash, acpi, parameters]))
      .digest('hex'),
    kernelRelease: described.kernelRelease,
    checksums: { [kernel]: kernelHash, [initramfs]: initramfsHash },
  };
}

async function findMini(mini: GuestManifest['mini']): Promise<Guests['mini']> {
  const found: Partial<Record<Accelerator, Guest>> = {};
  for (const accelerator of ['tcg', 'kvm'] as const) {
    const described = mini[accelerator];
    if (described === undefined) continue;
    const { kernel, initramfs } = described;
    const present = await Promise.all([kernel, initramfs].map(isPresent));
    if (present.every(Boolean)) found[accelerator] = describeGuest('mini', described);
  }
  return found;
}

async function isPresent(filePath: string): Promise<boolean> {
  try {
    await access(filePath);
    return true;
  } catch {
    return false; // gone, or not for this user: as good as never built
  }
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
