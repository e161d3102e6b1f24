import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { BuildTree, BuiltFiles, Recipe } from '../../scripts/guest/recipe.ts';
import {
  findUnmet,
  type KernelOption,
  mergeFragments,
  parseFragment,
  renderOptions,
} from './kernel-options.ts';

export type KernelKind = 'tcg' | 'kvm';

/** The fragments of each kernel. */
export const KERNEL_FRAGMENTS: Readonly<Record<KernelKind, readonly string[]>> = {
  tcg: ['base', 'containers', 'storage', 'network', 'tcg'],
  kvm: ['base', 'containers', 'storage', 'network', 'kvm'],
};

/** What each is told at boot, beside what the host tells every guest. */
export const KERNEL_PARAMETERS: Readonly<Record<KernelKind, readonly string[]>> = {
  // The emulator's timer counts nanoseconds (our patch): 200 ms of measuring less.
  tcg: ['lapic_timer_hz=1000000000'],
  kvm: [],
};

/** Raise it when the same configuration and patches are to be built anew. */
const STEPS_VERSION = 1;
const SOURCE = 'linux-source-6.1';
/** Source 1.2 GB, objects 0.5 GB. */
const DISK_BYTES = 2.2 * 2 ** 30;
/** What our build never reads; Kconfig files everywhere are. */
const UNREAD = ['Documentation/*/*', 'drivers/gpu/drm/*.[ch]', 'sound/*.[ch]', 'tools/testing'];
const OTHER_ARCHITECTURES = [
  ...['alpha', 'arc', 'arm', 'arm64', 'csky', 'hexagon', 'ia64', 'loongarch', 'm68k', 'microblaze'],
  ...['mips', 'nios2', 'openrisc', 'parisc', 'powerpc', 'riscv', 's390', 'sh', 'sparc', 'um'],
  'xtensa',
].flatMap((name) => [`arch/${name}/*.[chS]`, `arch/${name}/*.dts*`]);

/** How the mini-OS kernel is made of Debian's Linux source. */
export function kernelRecipe(root: string, kind: KernelKind): Recipe {
  const folder = path.join(root, 'guest/kernel');
  const options = loadOptions(folder, kind);
  return {
    name: `kernel-${kind}`,
    source: {
      package: SOURCE,
      kind: 'archive',
      archive: `usr/src/${SOURCE}.tar.xz`,
      exclude: [...UNREAD, ...OTHER_ARCHITECTURES],
    },
    patches: path.join(folder, 'patches'),
    ingredients: [`${STEPS_VERSION}`, renderOptions(options)],
    diskBytes: DISK_BYTES,
    build: async (tree) => {
      await configure(tree, options);
      return compile(tree, kind);
    },
  };
}

function loadOptions(folder: string, kind: KernelKind): KernelOption[] {
  const fragments = KERNEL_FRAGMENTS[kind].map((name) => {
    const file = path.join(folder, 'fragments', `${name}.config`);
    return parseFragment(readFileSync(file, 'utf8'), file);
  });
  return mergeFragments(fragments);
}

async function configure(tree: BuildTree, options: readonly KernelOption[]): Promise<void> {
  tree.report('configuration');
  const wanted = path.join(tree.work, 'wanted.config');
  writeFileSync(wanted, renderOptions(options));
  await make(tree, ['allnoconfig'], { KCONFIG_ALLCONFIG: wanted });
  const unmet = findUnmet(options, readFileSync(path.join(tree.source, '.config'), 'utf8'));
  if (unmet.length === 0) return;
  throw new Error(`the kernel's configuration is not what was asked for:\n  ${unmet.join('\n  ')}`);
}

/** Of a whole build; a source of another version has a few more or fewer, so the percentage is an estimate. */
const EXPECTED_STEPS: Readonly<Record<KernelKind, number>> = { tcg: 1900, kvm: 2000 };

async function compile(tree: BuildTree, kind: KernelKind): Promise<BuiltFiles> {
  let steps = countObjects(tree.source); // of a build that was interrupted
  const onLine = (line: string) => {
    const step = describeStep(line);
    if (step === undefined) return;
    const percent = Math.min(99, Math.floor((++steps * 100) / EXPECTED_STEPS[kind]));
    tree.report(`${percent} %  ${step}`);
  };
  await make(tree, [`-j${tree.jobs}`, 'vmlinux'], {}, onLine);
  const vmlinux = path.join(tree.source, 'vmlinux');
  const release = readFileSync(path.join(tree.source, 'include/config/kernel.release'), 'utf8');
  // Symbols are for debuggers; a panic reads the kernel's own table.
  await tree.run(['strip', '-o', path.join(tree.output, 'vmlinux'), vmlinux]);
  copyFileSync(path.join(tree.source, '.config'), path.join(tree.output, 'config'));
  copyFileSync(path.join(tree.source, 'System.map'), path.join(tree.output, 'System.map'));
  return {
    files: { kernel: 'vmlinux', config: 'config', symbols: 'System.map' },
    facts: { kernelRelease: release.trim() },
  };
}

function countObjects(source: string): number {
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' });
  return files.filter((file) => file.endsWith('.o')).length;
}

/** "CC fs/erofs/zdata.o" of make's "  CC      fs/erofs/zdata.o"; undefined for what is no step. */
export function describeStep(line: string): string | undefined {
  const match = /^ {2}(?<verb>[A-Z][A-Z0-9]*) +(?:\[M\] +)?(?<what>\S+)/.exec(line);
  return match === null ? undefined : `${match.groups?.['verb']} ${match.groups?.['what']}`;
}

/** Nothing of this host, user, folder or day gets into a kernel. */
function make(
  tree: BuildTree,
  targets: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  onLine?: (line: string) => void,
): Promise<void> {
  const date = new Date(tree.sourceDateSeconds * 1000).toUTCString();
  return tree.run(['make', 'ARCH=x86', ...targets], {
    directory: tree.source,
    environment: {
      KBUILD_BUILD_TIMESTAMP: date,
      KBUILD_BUILD_USER: 'wardian',
      KBUILD_BUILD_HOST: 'wardian',
      KBUILD_BUILD_VERSION: '1',
      SOURCE_DATE_EPOCH: String(tree.sourceDateSeconds),
      ...environment,
    },
    ...(onLine !== undefined && { onLine }),
  });
}
