import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { apt, downloadPackage } from '../support/debian.ts';
import type { Report } from '../support/progress.ts';
import { run } from '../support/run.ts';
import { listPatches } from './build-results.ts';
import type { SourcePackage } from './recipe.ts';
import type { LoggedOptions } from './run-logged.ts';

export interface FetchedSource {
  readonly package: SourcePackage;
  readonly version: string;
  /** Of the newest change that Debian made to it. */
  readonly dateSeconds: number;
  /** The .dsc or .deb. */
  readonly file: string;
}

/** Fetches the newest version that apt knows of, unless it has been fetched; several builds share it. */
export async function fetchSource(
  source: SourcePackage,
  directory: string,
  report: Report,
): Promise<FetchedSource> {
  const target = path.join(directory, source.package);
  const present = findFetched(source, target);
  if (present !== undefined) return present;
  mkdirSync(directory, { recursive: true });
  removeLeftovers(directory);
  const partial = mkdtempSync(path.join(directory, '.fetching-'));
  const remove = () => rmSync(partial, { recursive: true, force: true });
  process.once('exit', remove);
  try {
    report(`fetching ${source.package}`);
    if (source.kind === 'archive') await downloadPackage(source.package, partial, report);
    else await downloadSource(source.package, partial, report);
    await noteFacts(source, partial);
    rmSync(target, { recursive: true, force: true });
    renameSync(partial, target);
  } finally {
    remove();
    process.off('exit', remove);
  }
  const fetched = findFetched(source, target);
  if (fetched === undefined) throw new Error(`apt left no ${source.package} in ${target}`);
  return fetched;
}

/** What builds that were killed while they fetched left behind. */
function removeLeftovers(directory: string): void {
  for (const name of readdirSync(directory).filter((name) => name.startsWith('.fetching-'))) {
    const folder = path.join(directory, name);
    const isOld = Date.now() - statSync(folder).mtimeMs > 3_600_000; // nobody can be at work on it
    if (isOld) rmSync(folder, { recursive: true, force: true });
  }
}

const FACTS = 'source.json';
type Facts = Omit<FetchedSource, 'package'>;

function findFetched(source: SourcePackage, directory: string): FetchedSource | undefined {
  const facts = path.join(directory, FACTS);
  if (!existsSync(facts)) return undefined;
  const { version, dateSeconds, file } = JSON.parse(readFileSync(facts, 'utf8')) as Facts;
  return { package: source, version, dateSeconds, file: path.join(directory, file) };
}

/** Writes down what is known of a package once it is fetched: the same on every machine, whenever it is fetched. */
export async function noteFacts(source: SourcePackage, directory: string): Promise<void> {
  const suffix = source.kind === 'archive' ? '.deb' : '.dsc';
  const file = readdirSync(directory).find((name) => name.endsWith(suffix));
  if (file === undefined) throw new Error(`apt fetched no ${source.package}*${suffix}`);
  const whole = path.join(directory, file);
  const version =
    source.kind === 'archive'
      ? await run(['dpkg-deb', '-f', whole, 'Version'])
      : readFileSync(whole, 'utf8').match(/^Version: (\S+)$/m)?.[1];
  if (version === undefined) throw new Error(`${whole} names no version`);
  const dateSeconds =
    source.kind === 'archive' ? readDebDate(whole) : await readSourceDate(directory);
  const facts: Facts = { version, dateSeconds, file };
  writeFileSync(path.join(directory, FACTS), JSON.stringify(facts));
}

/** When a package was made: deb(5) is an ar(5) archive, whose first member's date stands in decimals. */
function readDebDate(file: string): number {
  return requireDate(readFileSync(file).toString('latin1', 24, 36).trim(), file);
}

/** When Debian's newest change was made: the last line of the first entry of its changelog. */
async function readSourceDate(directory: string): Promise<number> {
  const archive = readdirSync(directory).find((name) => /\.debian\.tar\.\w+$/.test(name)) ?? '';
  const file = path.join(directory, archive);
  const changelog = await run(['tar', '-xOf', file, 'debian/changelog']);
  const date = /^ -- .*> {2}(?<date>.+)$/m.exec(changelog)?.groups?.['date'] ?? '';
  return requireDate(String(Math.floor(Date.parse(date) / 1000)), file);
}

function requireDate(text: string, file: string): number {
  const seconds = Number(text);
  if (Number.isSafeInteger(seconds) && seconds > 0) return seconds;
  throw new Error(`${file} does not tell when it was made`);
}

/**
 * Few hosts have `deb-src` in their lists of sources: we take the places that packages come from and ask them for sources,
 * with lists of our own, so that nothing of the host's changes and root is not needed.
 */
async function downloadSource(name: string, directory: string, report: Report): Promise<void> {
  const places = await run([
    'apt-get',
    'indextargets',
    '--format',
    '$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)',
    'Created-By: Packages',
  ]);
  const apartFolder = path.join(directory, 'apt');
  mkdirSync(path.join(apartFolder, 'lists/partial'), { recursive: true });
  const list = path.join(apartFolder, 'sources.list');
  writeFileSync(list, listSourcePlaces(places, KEYRING));
  const options = [
    ...['-o', `Dir::Etc::sourcelist=${list}`, '-o', 'Dir::Etc::sourceparts=-'],
    ...['-o', `Dir::State::lists=${path.join(apartFolder, 'lists')}`],
    ...['-o', `Dir::Cache=${apartFolder}`, '-o', 'APT::Sandbox::User=root'],
  ];
  await apt(['update', ...options], report, directory);
  await apt(['source', '--download-only', ...options, name], report, directory);
  rmSync(apartFolder, { recursive: true });
}

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** `deb-src` lines for those of apt's places (`origin|uri|release|component` each) that are Debian's. */
export function listSourcePlaces(places: string, keyring: string): string {
  const option = existsSync(keyring) ? `[signed-by=${keyring}] ` : '';
  const lines = places
    .split('\n')
    .map((line) => line.split('|'))
    .filter(([origin]) => origin === 'Debian')
    .map(([, uri, release, component]) => `deb-src ${option}${uri} ${release} ${component}\n`);
  return [...new Set(lines)].join('');
}

export interface Unpacking {
  readonly target: string;
  /** The folder of our patches. */
  readonly patches: string;
  run(argv: readonly string[], options?: LoggedOptions): Promise<void>;
}

/** Unpacks and patches the source; `target` appears when all of that is done. */
export async function unpackSource(
  { package: source, file }: FetchedSource,
  { target, patches, run: runInLog }: Unpacking,
): Promise<void> {
  if (existsSync(target)) return;
  const partial = `${target}.unpacking`;
  rmSync(partial, { recursive: true, force: true });
  if (source.kind === 'source') {
    await runInLog(['dpkg-source', '--no-check', '--extract', file, partial]);
  } else {
    const package_ = `${target}.package`;
    rmSync(package_, { recursive: true, force: true });
    await runInLog(['dpkg-deb', '-x', file, package_]);
    mkdirSync(partial);
    const exclude = (source.exclude ?? []).map((pattern) => `--exclude=*/${pattern}`);
    const archive = path.join(package_, source.archive);
    await runInLog(['tar', '-C', partial, '--strip-components=1', ...exclude, '-xf', archive]);
    rmSync(package_, { recursive: true });
  }
  for (const patch of listPatches(patches)) {
    await runInLog(['patch', '--strip=1', '--forward', '--batch', `--input=${patch}`], {
      directory: partial,
    });
  }
  renameSync(partial, target);
}
