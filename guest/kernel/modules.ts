/**
 * The modules of a distribution's kernel that the guest needs, the order in which they load, and nothing else.
 * A kernel package brings no modules.dep (depmod makes it when the package is installed), so the
 * dependencies are read from the modules themselves: the `.modinfo` section of each file.
 */

/** What the guest asks for by name, each with its reason; dependencies are found. */
export const REQUIRED_MODULES: readonly { readonly name: string; readonly reason: string }[] = [
  { name: 'virtio_mmio', reason: 'the bus on which microvm offers its devices' },
  { name: 'virtio_console', reason: 'the port of the agent' },
  { name: 'virtio_rng', reason: 'entropy' },
  { name: 'virtio_blk', reason: 'the disk with the image' },
  { name: 'virtio_scsi', reason: 'the controller to which further disks are attached' },
  { name: 'sd_mod', reason: 'those disks' },
  { name: 'erofs', reason: 'the file system of images' },
  { name: 'overlay', reason: 'writable root file systems above images' },
  { name: '9pnet_virtio', reason: 'the transport of shared folders' },
  { name: '9p', reason: 'the file system of shared folders' },
  { name: 'virtio_net', reason: 'network cards' },
];

/** What a module says about itself. */
export interface ModuleInfo {
  /** As the kernel spells it: underscores, no suffix. */
  readonly name: string;
  /** Modules whose symbols it uses. */
  readonly depends: readonly string[];
  /** What should be there before it, by module name or alias (crypto algorithms, mostly). */
  readonly softDepends: readonly string[];
  readonly aliases: readonly string[];
}

/** The kernel's spelling of the name of a module file: `kernel/drivers/char/virtio-rng.ko` is `virtio_rng`. */
export function moduleNameOf(path: string): string {
  const file = path.slice(path.lastIndexOf('/') + 1);
  return file.replace(/\.ko$/, '').replaceAll('-', '_');
}

/** Reads the `.modinfo` section of a module (64-bit little-endian ELF; System V gABI, chapter 4). */
export function readModuleInfo(file: Buffer): ModuleInfo {
  const values = new Map<string, string[]>();
  for (const entry of findSection(file, '.modinfo').toString('latin1').split('\0')) {
    const equals = entry.indexOf('=');
    if (equals < 0) continue;
    const key = entry.slice(0, equals);
    values.set(key, [...(values.get(key) ?? []), entry.slice(equals + 1)]);
  }
  const names = (list: string) => list.split(/[\s,]+/).filter((name) => name !== '');
  return {
    name: values.get('name')?.[0] ?? '',
    depends: names(values.get('depends')?.[0] ?? '').map(moduleNameOf),
    softDepends: (values.get('softdep') ?? [])
      .filter((value) => value.startsWith('pre:'))
      .flatMap((value) => names(value.slice('pre:'.length).split('post:')[0] ?? '')),
    aliases: values.get('alias') ?? [],
  };
}

/**
 * Orders `roots` and everything below them so that each module stands behind what it needs.
 * Names that no module has are taken for built into the kernel, unless they are roots: those must exist.
 */
export function orderModules(
  roots: readonly string[],
  modules: ReadonlyMap<string, ModuleInfo>,
): string[] {
  const generic = findGenericImplementations(modules);
  const ordered = new Set<string>();
  const visiting = new Set<string>();
  const visit = (name: string) => {
    const module = modules.get(name);
    if (module === undefined || ordered.has(name) || visiting.has(name)) return;
    visiting.add(name);
    for (const soft of module.softDepends) visit(generic.get(soft) ?? moduleNameOf(soft));
    for (const dependency of module.depends) visit(dependency);
    ordered.add(name);
  };
  for (const root of roots) {
    if (!modules.has(root)) throw new Error(`the kernel package has no module ${root}`);
    visit(root);
  }
  return [...ordered];
}

/** An algorithm's portable implementation loads on every CPU; the fast ones do on some and are left out. */
function findGenericImplementations(modules: ReadonlyMap<string, ModuleInfo>): Map<string, string> {
  const found = new Map<string, string>();
  for (const module of modules.values()) {
    if (!module.name.endsWith('_generic')) continue;
    for (const alias of module.aliases) found.set(alias, module.name);
  }
  return found;
}

const ELF_SECTION_TABLE_OFFSET = 0x28;
const ELF_SECTION_ENTRY_SIZE = 0x3a;

function findSection(file: Buffer, wanted: string): Buffer {
  if (file.length < 64 || file.toString('latin1', 0, 4) !== '\x7fELF') {
    throw new Error('a kernel module is not an ELF file');
  }
  const table = Number(file.readBigUInt64LE(ELF_SECTION_TABLE_OFFSET));
  const entrySize = file.readUInt16LE(ELF_SECTION_ENTRY_SIZE);
  const count = file.readUInt16LE(ELF_SECTION_ENTRY_SIZE + 2);
  const nameTable = file.readUInt16LE(ELF_SECTION_ENTRY_SIZE + 4);
  const section = (index: number) => {
    const at = table + index * entrySize;
    const start = Number(file.readBigUInt64LE(at + 24));
    const size = Number(file.readBigUInt64LE(at + 32));
    return { nameOffset: file.readUInt32LE(at), bytes: file.subarray(start, start + size) };
  };
  const names = section(nameTable).bytes;
  for (let index = 0; index < count; index++) {
    const { nameOffset, bytes } = section(index);
    const name = names.toString('latin1', nameOffset, names.indexOf(0, nameOffset));
    if (name === wanted) return bytes;
  }
  throw new Error(`a kernel module has no section ${wanted}`);
}
