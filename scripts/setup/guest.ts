import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { buildInitramfs } from '../../guest/initramfs/initramfs.ts';
import type { KernelKind } from '../../guest/kernel/build-kernel.ts';
import { readDistributionKernel } from '../../guest/kernel/distribution-kernel.ts';
import { REQUIRED_MODULES } from '../../guest/kernel/modules.ts';
import { openPackage, resolveMetapackage } from '../support/debian.ts';
import type { Report } from '../support/progress.ts';
import { type BuiltQemu, findKernels, findQemu, type MiniKernel } from './built-guest.ts';
import {
  readJson,
  removeLeftovers,
  removeOldInitramfs,
  sha256,
  store,
  storePath,
  toJson,
  WORLD_ENTERABLE,
  writeAtomically,
} from './guest-files.ts';

/**
 * The guest's files in the cache, and the manifest that names them. Files carry the hash of their content
 * in their name and are never written twice; the manifest is replaced last, in one rename.
 * Everybody may read them: each virtual machine runs as a user of its own.
 */

export interface GuestManifest {
  readonly version: 2;
  readonly distro: {
    readonly kernel: string;
    readonly initramfs: string;
    readonly busybox: string;
    readonly kernelRelease: string;
    /** A distribution's kernel finds virtio-mmio devices through ACPI only. */
    readonly acpi: true;
    readonly parameters: readonly string[];
    /** Of the three files, in hexadecimal, by the keys above. */
    readonly sha256: {
      readonly kernel: string;
      readonly initramfs: string;
      readonly busybox: string;
    };
    /** The Debian packages they were taken from. */
    readonly packages: { readonly kernel: string; readonly busybox: string };
  };
  /** Our own kernels; absent until one is built (`wardian guest build`). */
  readonly mini?: {
    /** The agent alone: these kernels have all built in. */
    readonly initramfs: string;
    /** They are told of their devices on the command line. */
    readonly acpi: false;
    readonly sha256: { readonly initramfs: string };
    readonly kernels: Readonly<Partial<Record<KernelKind, MiniKernel>>>;
  };
  /** Our own QEMU; absent until it is built. */
  readonly qemu?: BuiltQemu;
}

/** What was taken out of Debian packages; kept so that a new agent needs no download. */
interface Ingredients {
  readonly recipe: string;
  readonly kernelRelease: string;
  readonly kernel: string;
  readonly kernelPackage: string;
  readonly busybox: string;
  readonly busyboxPackage: string;
  readonly modules: readonly { readonly name: string; readonly file: string }[];
}

/** Raise it when kernel or busybox are to be taken out of their packages anew. */
const RECIPE_VERSION = 1;
const KERNEL_METAPACKAGE = 'linux-image-amd64';
const KERNEL_PACKAGE = /^linux-image-\d\S*-amd64$/;
const BUSYBOX_PACKAGE = 'busybox-static';
/**
 * What a distribution's kernel does beyond a sandbox's needs. Under emulation every function that runs for the first time
 * in a clone must be translated, so what is left out is saved in every start (docs/performance.md).
 */
const KERNEL_PARAMETERS: readonly string[] = [
  'lsm=landlock', // no policy is ever loaded; the boundary is the machine
  'psi=0', // nobody reads the pressure of a guest
  'audit=0',
  'sysctl.vm.compaction_proactiveness=0', // a kernel thread that woke twice a second
  'sysctl.net.core.bpf_jit_enable=0', // a seccomp filter's common answers are remembered: compiling it costs more than it saves
];

export function guestDirectory(cacheDirectory: string): string {
  return path.join(cacheDirectory, 'guest');
}

export function manifestPath(cacheDirectory: string): string {
  return path.join(guestDirectory(cacheDirectory), 'manifest.json');
}

/** The manifest in the cache, when it is there and all that it names is. */
export function loadGuestManifest(cacheDirectory: string): GuestManifest | undefined {
  const manifest = readJson<GuestManifest>(manifestPath(cacheDirectory));
  if (manifest?.version !== 2) return undefined;
  return listGuestFiles(manifest).every((file) => existsSync(file)) ? manifest : undefined;
}

/** Every file that a manifest names. */
export function listGuestFiles({ distro, mini, qemu }: GuestManifest): string[] {
  const kernels = Object.values(mini?.kernels ?? {}).map(({ kernel }) => kernel);
  return [
    ...[distro.kernel, distro.initramfs, distro.busybox, ...kernels],
    ...(mini === undefined ? [] : [mini.initramfs]),
    ...(qemu === undefined ? [] : [qemu.path]),
  ];
}

/** True when kernel, modules and busybox of the present recipe are in the cache. */
export function hasIngredients(cacheDirectory: string): boolean {
  return loadIngredients(guestDirectory(cacheDirectory)) !== undefined;
}

/** Takes kernel, modules and busybox out of Debian's packages, installing nothing. */
export async function prepareIngredients(cacheDirectory: string, report: Report): Promise<void> {
  const directory = guestDirectory(cacheDirectory);
  mkdirSync(directory, { recursive: true, mode: WORLD_ENTERABLE });
  removeLeftovers(directory);
  const kernel = await takeKernel(directory, report);
  const busybox = await takeBusybox(directory, report);
  writeAtomically(
    ingredientsPath(directory),
    toJson({ recipe: ingredientsKey(), ...kernel, ...busybox } satisfies Ingredients),
  );
}

async function takeKernel(directory: string, report: Report) {
  const name = await resolveMetapackage(KERNEL_METAPACKAGE, KERNEL_PACKAGE, report);
  const source = await openPackage(name, directory, report);
  try {
    report('taking kernel and modules');
    const kernel = readDistributionKernel(source.root, name.slice('linux-image-'.length));
    return {
      kernelRelease: kernel.release,
      kernelPackage: `${name} ${source.version}`,
      kernel: store(directory, 'vmlinux', kernel.vmlinux),
      modules: kernel.modules.map((module) => ({
        name: module.name,
        file: store(directory, `module-${module.name}`, module.content),
      })),
    };
  } finally {
    source.close();
  }
}

async function takeBusybox(directory: string, report: Report) {
  const source = await openPackage(BUSYBOX_PACKAGE, directory, report);
  try {
    const binary = readFileSync(path.join(source.root, 'bin/busybox'));
    return {
      busyboxPackage: `${BUSYBOX_PACKAGE} ${source.version}`,
      busybox: store(directory, 'busybox', binary, WORLD_ENTERABLE),
    };
  } finally {
    source.close();
  }
}

/** True when the manifest names what the present agent and ingredients give. */
export function isGuestCurrent(cacheDirectory: string, agentPath: string): boolean {
  const present = loadGuestManifest(cacheDirectory);
  if (present === undefined) return false;
  const { manifest } = composeGuest(guestDirectory(cacheDirectory), agentPath);
  return toJson(present) === toJson(manifest);
}

/** Puts agent and modules into an initramfs, the agent alone into another, and writes the manifest. */
export function assembleGuest(cacheDirectory: string, agentPath: string): void {
  const directory = guestDirectory(cacheDirectory);
  const { archives, manifest } = composeGuest(directory, agentPath);
  const stored = archives.map((archive) => store(directory, 'initramfs', archive));
  writeAtomically(manifestPath(cacheDirectory), toJson(manifest));
  removeLeftovers(directory);
  removeOldInitramfs(directory, stored);
}

function composeGuest(directory: string, agentPath: string) {
  const agent = readFileSync(agentPath);
  const { distro, initramfs } = composeDistro(directory, agent);
  const buildDirectory = path.join(directory, 'build');
  const kernels = findKernels(buildDirectory);
  const own = Object.keys(kernels).length > 0 ? buildInitramfs({ agent, modules: [] }) : undefined;
  const qemu = findQemu(buildDirectory);
  const manifest: GuestManifest = {
    version: 2,
    distro,
    ...(own !== undefined && {
      mini: {
        initramfs: storePath(directory, 'initramfs', own),
        acpi: false,
        sha256: { initramfs: sha256(own) },
        kernels,
      },
    }),
    ...(qemu !== undefined && { qemu }),
  };
  return { archives: own === undefined ? [initramfs] : [initramfs, own], manifest };
}

function composeDistro(directory: string, agent: Buffer) {
  const ingredients = loadIngredients(directory);
  if (ingredients === undefined) throw new Error(`${directory} has no kernel`);
  const { kernel, busybox, kernelRelease } = ingredients;
  const initramfs = buildInitramfs({
    agent,
    modules: ingredients.modules.map(({ name, file }) => ({ name, content: readFileSync(file) })),
  });
  const distro: GuestManifest['distro'] = {
    kernel,
    initramfs: storePath(directory, 'initramfs', initramfs),
    busybox,
    kernelRelease,
    acpi: true,
    parameters: KERNEL_PARAMETERS,
    sha256: {
      kernel: sha256(readFileSync(kernel)),
      initramfs: sha256(initramfs),
      busybox: sha256(readFileSync(busybox)),
    },
    packages: { kernel: ingredients.kernelPackage, busybox: ingredients.busyboxPackage },
  };
  return { distro, initramfs };
}

function ingredientsPath(directory: string): string {
  return path.join(directory, 'ingredients.json');
}

function loadIngredients(directory: string): Ingredients | undefined {
  const ingredients = readJson<Ingredients>(ingredientsPath(directory));
  if (ingredients?.recipe !== ingredientsKey()) return undefined;
  const files = [
    ingredients.kernel,
    ingredients.busybox,
    ...ingredients.modules.map((module) => module.file),
  ];
  return files.every((file) => existsSync(file)) ? ingredients : undefined;
}

export function ingredientsKey(): string {
  return sha256(Buffer.from(JSON.stringify([RECIPE_VERSION, REQUIRED_MODULES]))).slice(0, 16);
}
