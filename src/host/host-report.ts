import { constants } from 'node:fs';
import { access, lstat, open, readdir, readFile, statfs } from 'node:fs/promises';
import path from 'node:path';
import { hasErrno } from '../util/errors.ts';
import type { Directories } from './directories.ts';
import { captureCommand } from './spawn.ts';

/** One thing that was looked at. `missing`: containers cannot run without it; `warn`: they run, with less. */
export interface HostFinding {
  readonly subject: string;
  readonly status: 'ok' | 'warn' | 'missing';
  /** What was found, for people. */
  readonly text: string;
  /** What to do about it; absent when all is well. */
  readonly remedy?: string;
}

/** The host as it is looked at; a test gives a tree of its own as `root`. */
export interface HostView {
  readonly root: string;
  readonly directories: Directories;
  readonly uid: number;
  readonly nodeVersion: string;
  /** Value of PATH, where programs are looked for. */
  readonly searchPath: string;
  /** Files that a set-up builds beside the bundles. */
  readonly builtFiles: readonly string[];
}

const OLDEST_NODE = 20;
const QEMU = 'qemu-system-x86_64';
const VERSION_LIMITS = { timeoutMs: 10_000, maxOutputBytes: 4096 };
/** One sandbox of the default size with room to breathe. */
const ENOUGH_MEMORY_BYTES = 512 * 1024 ** 2;
/** A template, an image and the logs of a few containers. */
const ENOUGH_DISK_BYTES = 2 * 1024 ** 3;

/** Looks at everything on the host that Wardian needs or makes use of. Starts nothing but `qemu --version`. */
export async function examineHost(view: HostView): Promise<HostFinding[]> {
  const findings = await Promise.all([
    examineNode(view),
    examineQemu(view),
    examineKvm(view),
    examineBuiltFiles(view),
    examineGuest(view),
    examineTemplates(view),
    examineRuntimeFolder(view),
    examineControlGroups(view),
    examineUserNamespaces(view),
    examineTun(view),
    examineMemory(view),
    examineDisk(view),
  ]);
  return findings.flat();
}

function ok(subject: string, text: string): HostFinding {
  return { subject, status: 'ok', text };
}

function warn(subject: string, text: string, remedy: string): HostFinding {
  return { subject, status: 'warn', text, remedy };
}

function missing(subject: string, text: string, remedy: string): HostFinding {
  return { subject, status: 'missing', text, remedy };
}

async function examineNode({ nodeVersion }: HostView): Promise<HostFinding> {
  const major = Number.parseInt(nodeVersion, 10);
  if (major >= OLDEST_NODE) return ok('node', nodeVersion);
  return missing('node', `${nodeVersion} is too old`, `install Node ${OLDEST_NODE} or newer`);
}

async function examineQemu({ searchPath }: HostView): Promise<HostFinding> {
  for (const folder of searchPath.split(':').filter((entry) => entry.startsWith('/'))) {
    const program = path.join(folder, QEMU);
    if (!(await isAccessible(program, constants.X_OK))) continue;
    try {
      const { stdout } = await captureCommand(program, ['--version'], VERSION_LIMITS);
      return ok('qemu', `${program}, ${stdout.split('\n', 1)[0]}`);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return missing('qemu', `${program} does not run: ${reason}`, 'install qemu-system-x86 anew');
    }
  }
  return missing(
    'qemu',
    `${QEMU} is not installed`,
    'sudo apt-get install --no-install-recommends qemu-system-x86',
  );
}

/** What the host promises about hardware virtualisation; whether KVM really runs a guest only a probe tells. */
async function examineKvm({ root }: HostView): Promise<HostFinding> {
  const withoutKvm = 'nothing needs to be done: guests are emulated (TCG), which is slower';
  const flags = /^flags\s*:(.*)$/m.exec(await read(root, '/proc/cpuinfo'))?.[1]?.split(' ') ?? [];
  const extension = flags.find((flag) => flag === 'vmx' || flag === 'svm');
  const device = path.join(root, '/dev/kvm');
  const errno = await tryToOpen(device);
  if (errno === 'ENOENT') {
    const cause =
      extension === undefined ? 'and the CPU offers no virtualisation' : 'though the CPU offers it';
    const remedy =
      extension === undefined
        ? withoutKvm
        : 'sudo modprobe kvm, or switch on virtualisation in the firmware';
    return warn('kvm device', `/dev/kvm is not there, ${cause}`, remedy);
  }
  if (errno === 'EACCES' || errno === 'EPERM') {
    return warn(
      'kvm device',
      '/dev/kvm may not be opened by this user',
      'sudo usermod -aG kvm $USER, then log in anew',
    );
  }
  if (errno !== undefined) return warn('kvm device', `/dev/kvm: ${errno}`, withoutKvm);
  if (extension !== undefined) return ok('kvm device', `/dev/kvm opens, the CPU has ${extension}`);
  return warn('kvm device', '/dev/kvm opens, but the CPU shows neither vmx nor svm', withoutKvm);
}

async function examineBuiltFiles({ builtFiles }: HostView): Promise<HostFinding> {
  for (const file of builtFiles) {
    if (!(await isAccessible(file, constants.R_OK))) {
      return missing('build', `${file} is not there`, 'run ./wardian from the checkout: it builds');
    }
  }
  return ok('build', builtFiles.map((file) => path.basename(file)).join(', '));
}

async function examineGuest({ directories }: HostView): Promise<HostFinding> {
  const remedy = 'run ./wardian from the checkout: it prepares them';
  const file = path.join(directories.cache, 'guest/manifest.json');
  try {
    const { distro } = JSON.parse(await readFile(file, 'utf8'));
    for (const part of ['kernel', 'initramfs', 'busybox']) {
      if (!(await isAccessible(String(distro[part]), constants.R_OK))) {
        return missing('guest', `the ${part} that ${file} names is not there`, remedy);
      }
    }
    return ok('guest', `Linux ${distro.kernelRelease}`);
  } catch (error) {
    const text = hasErrno(error, 'ENOENT')
      ? 'kernel and initramfs are not prepared'
      : `${file} cannot be read`;
    return missing('guest', text, remedy);
  }
}

async function examineTemplates({ directories }: HostView): Promise<HostFinding> {
  const names = await list(path.join(directories.cache, 'templates'));
  const count = names.filter((name) => /^[0-9a-f]{32}$/.test(name)).length;
  if (count > 0) return ok('template', `${count} in ${directories.cache}/templates`);
  return warn('template', 'none yet: the first start takes seconds', 'wardian template create');
}

async function examineRuntimeFolder({ directories, uid }: HostView): Promise<HostFinding> {
  const { runtime } = directories;
  try {
    const status = await lstat(runtime);
    if (status.isDirectory() && status.uid === uid) return ok('runtime', runtime);
    return missing(
      'runtime',
      `${runtime} does not belong to this user`,
      'remove it, or set WARDIAN_RUNTIME_DIR',
    );
  } catch (error) {
    if (!hasErrno(error, 'ENOENT'))
      return missing('runtime', `${runtime} cannot be looked at`, 'set WARDIAN_RUNTIME_DIR');
  }
  const parent = await findExistingParent(runtime);
  if (await isAccessible(parent, constants.W_OK))
    return ok('runtime', `${runtime} (made when needed)`);
  return missing('runtime', `${runtime} cannot be made in ${parent}`, 'set WARDIAN_RUNTIME_DIR');
}

async function examineControlGroups({ root }: HostView): Promise<HostFinding> {
  const base = path.join(root, '/sys/fs/cgroup');
  if (!(await isAccessible(path.join(base, 'cgroup.controllers'), constants.R_OK))) {
    return warn(
      'cgroup',
      'not version 2: the memory and CPU of a VMM itself are not limited',
      'boot with systemd.unified_cgroup_hierarchy=1',
    );
  }
  const own = /^0::(.*)$/m.exec(await read(root, '/proc/self/cgroup'))?.[1] ?? '/';
  const controllers = (
    await read(root, path.join('/sys/fs/cgroup', own, 'cgroup.controllers'))
  ).trim();
  const isDelegated = await isAccessible(path.join(base, own, 'cgroup.procs'), constants.W_OK);
  if (isDelegated) return ok('cgroup', `version 2, ours with ${controllers || 'no controllers'}`);
  return warn(
    'cgroup',
    'version 2, but ours is not delegated to this user',
    'systemd-run --user --scope -p Delegate=yes',
  );
}

async function examineUserNamespaces({ root, uid }: HostView): Promise<HostFinding> {
  const most = Number((await read(root, '/proc/sys/user/max_user_namespaces')).trim() || '0');
  const allowed = (await read(root, '/proc/sys/kernel/unprivileged_userns_clone')).trim() !== '0';
  if (uid === 0) return ok('namespaces', 'root needs no user namespaces');
  if (most > 0 && allowed) return ok('namespaces', 'user namespaces may be made');
  return warn(
    'namespaces',
    'this user may make no user namespaces: the VMM is confined less',
    'sudo sysctl kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000',
  );
}

async function examineTun({ root }: HostView): Promise<HostFinding> {
  const errno = await tryToOpen(path.join(root, '/dev/net/tun'));
  if (errno === undefined) return ok('tun', '/dev/net/tun opens');
  return warn(
    'tun',
    `/dev/net/tun: ${errno}; sandboxes without network need none`,
    'sudo modprobe tun',
  );
}

async function examineMemory({ root }: HostView): Promise<HostFinding> {
  const kilobytes = /^MemAvailable:\s+(\d+) kB$/m.exec(await read(root, '/proc/meminfo'))?.[1];
  const bytes = Number(kilobytes ?? 0) * 1024;
  const text = `${formatBytes(bytes)} available`;
  if (bytes >= ENOUGH_MEMORY_BYTES) return ok('memory', text);
  return warn('memory', text, 'stop something, or start smaller sandboxes with --memory');
}

async function examineDisk({ directories }: HostView): Promise<HostFinding[]> {
  const places = [...new Set([directories.cache, directories.data])];
  return Promise.all(
    places.map(async (place) => {
      const { bavail, bsize } = await statfs(await findExistingParent(place));
      const text = `${formatBytes(bavail * bsize)} free for ${place}`;
      if (bavail * bsize >= ENOUGH_DISK_BYTES) return ok('disk', text);
      return warn('disk', text, 'wardian template prune, or free some space');
    }),
  );
}

function formatBytes(bytes: number): string {
  return bytes < 1024 ** 3
    ? `${Math.round(bytes / 1024 ** 2)} MiB`
    : `${(bytes / 1024 ** 3).toFixed(1)} GiB`;
}

async function findExistingParent(place: string): Promise<string> {
  for (let folder = path.resolve(place); ; folder = path.dirname(folder)) {
    if (folder === '/' || (await isAccessible(folder, constants.F_OK))) return folder;
  }
}

/** Undefined when the device can be opened for reading and writing, otherwise why not. */
async function tryToOpen(device: string): Promise<string | undefined> {
  try {
    const handle = await open(device, 'r+');
    await handle.close();
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

async function isAccessible(file: string, mode: number): Promise<boolean> {
  try {
    await access(file, mode);
    return true;
  } catch {
    return false; // absent or not permitted: the caller tells which matters
  }
}

async function read(root: string, file: string): Promise<string> {
  try {
    return await readFile(path.join(root, file), 'utf8');
  } catch {
    return ''; // this kernel does not have it
  }
}

async function list(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch {
    return []; // not made yet
  }
}
