import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { findKernelPayload } from './boot-image.ts';
import {
  type ModuleInfo,
  moduleNameOf,
  orderModules,
  REQUIRED_MODULES,
  readModuleInfo,
} from './modules.ts';

export interface DistributionKernel {
  /** As `uname -r` will say in the guest. */
  readonly release: string;
  /** The plain ELF kernel. */
  readonly vmlinux: Buffer;
  /** In the order in which they load. */
  readonly modules: readonly { readonly name: string; readonly content: Buffer }[];
}

/** Takes kernel and needed modules out of an unpacked kernel package below `root`. */
export function readDistributionKernel(root: string, release: string): DistributionKernel {
  const image = readFileSync(path.join(root, 'boot', `vmlinuz-${release}`));
  return {
    release,
    vmlinux: unpackKernel(image),
    modules: readModules(path.join(root, 'lib/modules', release, 'kernel')),
  };
}

function unpackKernel(image: Buffer): Buffer {
  const { compressed, sizeBytes } = findKernelPayload(image);
  const unpacked = spawnSync('xz', ['-dc'], { input: compressed, maxBuffer: sizeBytes + 1 });
  if (unpacked.error !== undefined) throw unpacked.error;
  if (unpacked.status !== 0 || unpacked.stdout.length !== sizeBytes) {
    throw new Error(`xz could not unpack the kernel: ${unpacked.stderr.toString().trim()}`);
  }
  return unpacked.stdout;
}

/** Folders below `kernel/` that hold the required modules and whatever these need; the rest is not read. */
const MODULE_FOLDERS = [
  'arch/x86/crypto',
  'block',
  'crypto',
  'drivers/block',
  'drivers/char',
  'drivers/scsi',
  'drivers/virtio',
  'fs/9p',
  'fs/erofs',
  'fs/fscache',
  'fs/netfs',
  'fs/overlayfs',
  'lib',
  'net/9p',
  'net/core',
];
/** Single files out of folders too big to read. */
const MODULE_FILES = ['drivers/net/net_failover.ko', 'drivers/net/virtio_net.ko'];

function readModules(directory: string): DistributionKernel['modules'] {
  const files = [
    ...MODULE_FOLDERS.flatMap((folder) => findModuleFiles(path.join(directory, folder))),
    ...MODULE_FILES.map((file) => path.join(directory, file)),
  ].map((file) => ({ name: moduleNameOf(file), content: readFileSync(file) }));
  const contents = new Map(files.map((file) => [file.name, file.content]));
  const modules = new Map<string, ModuleInfo>(
    files.map((file) => [file.name, readModuleInfo(file.content)]),
  );
  const roots = REQUIRED_MODULES.map((module) => module.name);
  return orderModules(roots, modules).map((name) => ({
    name,
    content: contents.get(name) as Buffer,
  }));
}

function findModuleFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ko'))
    .map((entry) => path.join(entry.parentPath, entry.name));
}
