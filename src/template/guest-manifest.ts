import type { Accelerator } from '../hypervisor/driver.ts';

/** What the set-up wrote about the guests that it prepared and built. Version 1 knows the distribution's kernel only. */
export interface GuestManifest {
  readonly distro: ManifestGuest;
  readonly busybox: string;
  /** The mini-OS kernel for each accelerator that one was built for. */
  readonly mini: Readonly<Partial<Record<Accelerator, ManifestGuest>>>;
  readonly qemu: ManifestQemu | undefined;
}

export interface ManifestGuest {
  readonly kernel: string;
  readonly initramfs: string;
  readonly kernelRelease: string;
  readonly acpi: boolean;
  readonly parameters: readonly string[];
  readonly kernelHash: string;
  readonly initramfsHash: string;
}

/** The small QEMU that was built. */
export interface ManifestQemu {
  readonly path: string;
  readonly firmwareDirectory: string;
}

const VERSIONS: readonly unknown[] = [1, 2];
const ACCELERATORS: readonly Accelerator[] = ['tcg', 'kvm'];
const PATH = /^\//;
const HASH = /^[0-9a-f]{64}$/;
const RELEASE = /^[\w.+~-]+$/;

/** Checks a manifest field by field; undefined when it is none. */
export function parseGuestManifest(value: unknown): GuestManifest | undefined {
  try {
    const manifest = requireObject(value);
    if (!VERSIONS.includes(manifest['version'])) return undefined;
    const distro = requireObject(manifest['distro']);
    return {
      distro: parseGuest(distro, distro, distro),
      busybox: requireText(distro, 'busybox', PATH),
      mini: manifest['mini'] === undefined ? {} : parseMini(requireObject(manifest['mini'])),
      qemu: manifest['qemu'] === undefined ? undefined : parseQemu(requireObject(manifest['qemu'])),
    };
  } catch (error) {
    if (error instanceof NotAManifest) return undefined;
    throw error;
  }
}

class NotAManifest extends Error {}

type Fields = Record<string, unknown>;

/** All kernels of the mini-OS share one initramfs. */
function parseMini(mini: Fields): GuestManifest['mini'] {
  const kernels = requireObject(mini['kernels']);
  const built = ACCELERATORS.filter((accelerator) => kernels[accelerator] !== undefined);
  const entries = built.map((accelerator) => {
    const kernel = requireObject(kernels[accelerator]);
    const hashes = { kernel: kernel['sha256'], ...requireObject(mini['sha256']) };
    return [accelerator, parseGuest(mini, kernel, { sha256: hashes })] as const;
  });
  return Object.fromEntries(entries);
}

function parseGuest(common: Fields, kernel: Fields, { sha256 }: Fields): ManifestGuest {
  const hashes = requireObject(sha256);
  const { acpi } = common;
  const { parameters } = kernel;
  if (typeof acpi !== 'boolean' || !isTextList(parameters)) throw new NotAManifest();
  return {
    kernel: requireText(kernel, 'kernel', PATH),
    initramfs: requireText(common, 'initramfs', PATH),
    kernelRelease: requireText(kernel, 'kernelRelease', RELEASE),
    acpi,
    parameters,
    kernelHash: requireText(hashes, 'kernel', HASH),
    initramfsHash: requireText(hashes, 'initramfs', HASH),
  };
}

function parseQemu(qemu: Fields): ManifestQemu {
  return {
    path: requireText(qemu, 'path', PATH),
    firmwareDirectory: requireText(qemu, 'firmwareDirectory', PATH),
  };
}

function requireText(fields: Fields, key: string, pattern: RegExp): string {
  const found = fields[key];
  if (typeof found === 'string' && pattern.test(found)) return found;
  throw new NotAManifest();
}

function requireObject(value: unknown): Fields {
  if (typeof value === 'object' && value !== null) return value as Fields;
  throw new NotAManifest();
}

function isTextList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string');
}
