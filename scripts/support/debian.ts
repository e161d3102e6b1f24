import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { Report } from './progress.ts';
import { CommandFailed, run } from './run.ts';

export type PackageUse = 'run' | 'build' | 'test';

/** One line of scripts/packages. */
export interface PackageEntry {
  readonly name: string;
  /** `run`: every set-up needs it; `build`: `wardian guest build` and the test command do; `test`: the test command alone. */
  readonly use: PackageUse;
  readonly reason: string;
}

/** Reads the table of Debian packages: `name | use | reason`, `#` for comments. */
export function readPackageTable(file: string): PackageEntry[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map((line) => {
      const [name = '', use = '', reason = ''] = line.split('|').map((cell) => cell.trim());
      if (name === '' || reason === '' || !isPackageUse(use)) {
        throw new Error(`${file}: not "name | run, build or test | reason": ${line}`);
      }
      return { name, use, reason };
    });
}

function isPackageUse(text: string): text is PackageUse {
  return text === 'run' || text === 'build' || text === 'test';
}

/** Packages are missing and this user cannot install them; the message is the whole explanation. */
export class PackagesMissing extends Error {
  constructor(missing: readonly PackageEntry[]) {
    const width = Math.max(...missing.map((entry) => entry.name.length));
    const reasons = missing.map((entry) => `    ${entry.name.padEnd(width)}  ${entry.reason}`);
    const command = installCommand(missing.map((entry) => entry.name)).join(' ');
    super(
      `these Debian packages are missing:\n${reasons.join('\n')}\n  hint: sudo apt-get update && sudo ${command}`,
    );
  }
}

/** Those of `names` that are not installed. */
export async function findMissingPackages(names: readonly string[]): Promise<string[]> {
  // It ends with 1 when it does not know one of the names, and still prints the others.
  const known = await run(
    // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query fills it in
    ['dpkg-query', '-W', '-f', '${Package} ${db:Status-Status}\\n', ...names],
    { goodExitCodes: [0, 1] },
  );
  const installed = new Set(
    known
      .split('\n')
      .filter((line) => line.endsWith(' installed'))
      .map((line) => line.split(' ')[0]),
  );
  return names.filter((name) => !installed.has(name));
}

/** The command that installs packages, for people to read and for us to run. */
export function installCommand(names: readonly string[]): string[] {
  return ['apt-get', 'install', '--yes', '--no-install-recommends', ...names];
}

const UNATTENDED = { DEBIAN_FRONTEND: 'noninteractive' };
/** Another apt may be at work, an unattended upgrade for instance: wait for it this long. */
const LOCK_OPTION = ['-o', 'DPkg::Lock::Timeout=300'];

/** Installs packages as root. */
export async function installPackages(names: readonly string[], report: Report): Promise<void> {
  await finishInterruptedInstall();
  await updateLists(report);
  await apt([...installCommand(names).slice(1), ...LOCK_OPTION], report);
}

async function finishInterruptedInstall(): Promise<void> {
  // dpkg leaves journals here when it was killed; apt then refuses to do anything.
  const journals = readdirSync('/var/lib/dpkg/updates').filter((name) => /^\d+$/.test(name));
  if (journals.length > 0)
    await run(['dpkg', '--configure', '-a'], { environment: { ...process.env, ...UNATTENDED } });
}

async function updateLists(report: Report): Promise<void> {
  report('package lists');
  await apt(['update', ...LOCK_OPTION], report);
}

/** Runs apt-get and reports what its status lines say. */
export async function apt(
  arguments_: readonly string[],
  report: Report,
  directory?: string,
): Promise<void> {
  await run(['apt-get', '-q', '-o', 'APT::Status-Fd=3', ...arguments_], {
    environment: { ...process.env, ...UNATTENDED },
    onStatus: (line) => report(describeStatus(line)),
    ...(directory === undefined ? {} : { directory }),
    hint: 'the Debian mirror may be out of reach, or its lists out of date: sudo apt-get update',
  });
}

/** apt's status lines: `dlstatus:count:percent:text` and `pmstatus:package:percent:text`. */
export function describeStatus(line: string): string {
  const [kind, , percent, ...text] = line.split(':');
  if (kind !== 'dlstatus' && kind !== 'pmstatus') return '';
  const done = Math.round(Number(percent));
  return kind === 'dlstatus' ? `${done} % fetched` : `${done} %  ${text.join(':').trim()}`;
}

/** The contents of a package, below `root`: the host's own when it is installed, otherwise a temporary copy. */
export interface OpenPackage {
  readonly name: string;
  readonly version: string;
  readonly root: string;
  close(): void;
}

/** Fetches and unpacks a package without installing it (no root needed), unless it is installed already. */
export async function openPackage(
  name: string,
  workDirectory: string,
  report: Report,
): Promise<OpenPackage> {
  if ((await findMissingPackages([name])).length === 0) {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query fills it in
    const version = await run(['dpkg-query', '-W', '-f', '${Version}', name]);
    return { name, version, root: '/', close: () => undefined };
  }
  const directory = mkdtempSync(path.join(workDirectory, '.package-'));
  const close = () => rmSync(directory, { recursive: true, force: true });
  // Half a gigabyte that nobody would miss when a set-up is interrupted.
  process.once('exit', close);
  try {
    await downloadPackage(name, directory, report);
    const archive = readdirSync(directory).find((file) => file.endsWith('.deb'));
    if (archive === undefined) throw new Error(`apt-get download ${name} left no file`);
    report('unpacking');
    const archivePath = path.join(directory, archive);
    const version = await run(['dpkg-deb', '-f', archivePath, 'Version']);
    const root = path.join(directory, 'root');
    await run(['dpkg-deb', '-x', archivePath, root]);
    return { name, version, root, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** Fetches a package's file into the folder. */
export async function downloadPackage(
  name: string,
  directory: string,
  report: Report,
): Promise<void> {
  // As root apt would fetch as its own user, who cannot write here.
  const command = ['download', '-o', 'APT::Sandbox::User=root', name];
  try {
    await apt(command, report, directory);
  } catch (error) {
    // Old or absent lists name a file that the mirror no longer has; only root can renew them.
    if (!(error instanceof CommandFailed) || process.getuid?.() !== 0) throw error;
    await updateLists(report);
    await apt(command, report, directory);
  }
}

/** The package that a metapackage stands for: its first dependency whose name matches. */
export async function resolveMetapackage(
  name: string,
  wanted: RegExp,
  report: Report,
): Promise<string> {
  const found = await findDependency(name, wanted);
  if (found !== undefined) return found;
  if (process.getuid?.() === 0) await updateLists(report);
  const foundNow = await findDependency(name, wanted);
  if (foundNow !== undefined) return foundNow;
  throw new CommandFailed(['apt-cache', 'depends', name], {
    how: 'names no such package',
    hint: 'renew the package lists: sudo apt-get update',
  });
}

async function findDependency(name: string, wanted: RegExp): Promise<string | undefined> {
  const dependencies = await run(['apt-cache', 'depends', name], { goodExitCodes: [0, 100] });
  return [...dependencies.matchAll(/^ *Depends: (\S+)$/gm)]
    .map((match) => match[1] as string)
    .find((dependency) => wanted.test(dependency));
}
