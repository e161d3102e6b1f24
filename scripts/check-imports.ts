import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { checkAgentRooms } from './check/agent-rooms.ts';
import { findCircles } from './check/circles.ts';
import { findLongParameterLists } from './check/parameters.ts';

/** The rooms of src/, lowest first. A file may import from its own room and from lower layers; `util` is for all. */
const LAYERS: readonly (readonly string[])[] = [
  ['util'],
  ['machine', 'oci', 'host'],
  ['hypervisor', 'agent', 'storage', 'network', 'configuration'],
  ['template', 'image'],
  ['sandbox'],
  ['sandboxer'],
  ['cli', 'oci-runtime', 'shim', 'sdk'],
];

/** Folders that only their own room may import: drivers stay behind their interface. */
const PRIVATE_FOLDERS = ['hypervisor/qemu'];

/** The guest's C, which has rooms of its own. */
const AGENT = 'guest/agent';

/** CONTRIBUTING.md: "never passes". */
const MOST_LINES = 500;

const NAME = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.test)?\.ts$/;

/** Names of the process that only an entry point may touch; others are given what they need. */
const PROCESS_GLOBALS = /\bprocess\.(?:exit|argv|env)\b|\bconsole\.\w+(?=\()/g;
const IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*['"]([^'"]+)['"]/g;
const STATIC_IMPORT = /(?:\bfrom|\bimport)\s*['"](\.[^'"]+)['"]/g;
const COMMENT = /\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm;

/** One sentence for each breach of the house rules below `source`, with file and line. */
export function checkSources(source: string): string[] {
  const files = listSources(source);
  return [...files.flatMap((file) => checkFile(source, file)), ...checkCircles(source, files)];
}

/** The same for the whole checkout, with paths below `root`. */
export function checkCheckout(root: string): string[] {
  return [
    ...checkSources(path.join(root, 'src')).map((breach) => `src/${breach}`),
    ...checkAgentRooms(path.join(root, AGENT)).map((breach) => `${AGENT}/${breach}`),
  ];
}

/** Files that import each other can only be understood together. What is imported when it is called for does not count. */
function checkCircles(source: string, files: readonly string[]): string[] {
  const imports = files.map((file): [string, string[]] => {
    const code = readFileSync(path.join(source, file), 'utf8').replace(COMMENT, '');
    const specifiers = [...code.matchAll(STATIC_IMPORT)].map((match) => match[1] as string);
    return [file, specifiers.map((specifier) => path.join(path.dirname(file), specifier))];
  });
  return findCircles(new Map(imports)).map((circle) => `${circle.join(' -> ')} is a circle`);
}

/** TypeScript files below `source`, relative to it, without what was generated. */
function listSources(source: string): string[] {
  return readdirSync(source, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.split(path.sep).includes('generated'))
    .sort();
}

function checkFile(source: string, file: string): string[] {
  const text = readFileSync(path.join(source, file), 'utf8');
  const code = text.replace(COMMENT, (comment) => comment.replace(/[^\n]/g, ' '));
  const complain = (index: number, what: string) =>
    `${file}:${code.slice(0, index).split('\n').length}: ${what}`;
  return [
    ...checkLength(file, text),
    ...checkName(file),
    ...findLongParameterLists(code).map(({ index, what }) => complain(index, what)),
    ...[...code.matchAll(IMPORT)].flatMap((match) =>
      checkImport(source, file, match[1] as string).map((what) => complain(match.index, what)),
    ),
    ...(isEntryPoint(file) || isTest(file) ? [] : [...code.matchAll(PROCESS_GLOBALS)]).map(
      (match) => complain(match.index, `${match[0]} belongs in an entry point`),
    ),
  ];
}

function checkLength(file: string, text: string): string[] {
  const lines = text.split('\n').length - 1;
  return lines > MOST_LINES ? [`${file}: ${lines} lines, more than ${MOST_LINES}`] : [];
}

function checkName(file: string): string[] {
  return NAME.test(path.basename(file)) ? [] : [`${file}: its name is not in kebab case`];
}

function checkImport(source: string, file: string, specifier: string): string[] {
  if (!specifier.startsWith('.')) return checkPackage(file, specifier);
  const target = path.join(path.dirname(file), specifier);
  if (!specifier.endsWith('.ts')) return [`${specifier} does not end in .ts`];
  if (target.startsWith('..')) return isTest(file) ? [] : [`${specifier} is outside of src`];
  if (!existsSync(path.join(source, target))) return [`${specifier} is not there`];
  return [...checkRooms(roomOf(file), roomOf(target)), ...checkPrivacy(file, target)];
}

function checkPackage(file: string, specifier: string): string[] {
  const isSpawning = specifier === 'node:child_process' || specifier === 'child_process';
  if (!isSpawning || roomOf(file) === 'host' || isTest(file)) return [];
  return [`${specifier} belongs in host/`];
}

function checkRooms(from: string, to: string): string[] {
  if (from === to) return [];
  const fromLayer = LAYERS.findIndex((rooms) => rooms.includes(from));
  const toLayer = LAYERS.findIndex((rooms) => rooms.includes(to));
  if (fromLayer < 0) return [`${from}/ is not a room`];
  if (toLayer < 0) return [`${to}/ is not a room`];
  if (toLayer < fromLayer) return [];
  const direction = toLayer === fromLayer ? 'sideways' : 'up';
  return [`${from}/ must not import from ${to}/ (that goes ${direction})`];
}

function checkPrivacy(file: string, target: string): string[] {
  return PRIVATE_FOLDERS.filter(
    (folder) => target.startsWith(`${folder}/`) && roomOf(file) !== roomOf(folder),
  ).map((folder) => `${folder}/ is private to ${roomOf(folder)}/`);
}

function roomOf(file: string): string {
  return file.split(path.sep)[0] as string;
}

function isEntryPoint(file: string): boolean {
  return roomOf(file) === 'cli' || path.basename(file) === 'main.ts';
}

/** Tests and what only they use. */
function isTest(file: string): boolean {
  return file.endsWith('.test.ts') || file.split(path.sep).includes('testing');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const breaches = checkCheckout(path.resolve(import.meta.dirname, '..'));
  for (const breach of breaches) console.error(breach);
  process.exitCode = breaches.length === 0 ? 0 : 1;
}
