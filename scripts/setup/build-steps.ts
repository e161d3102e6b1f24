import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { hasErrno } from '../../src/util/errors.ts';
import {
  findMissingPackages,
  installPackages,
  type PackageEntry,
  PackagesMissing,
  type PackageUse,
  readPackageTable,
} from '../support/debian.ts';
import type { Report } from '../support/progress.ts';
import { run } from '../support/run.ts';
import { bundle } from './bundle.ts';

/** One thing that a set-up makes. */
export interface Step {
  readonly title: string;
  isDone(): boolean | Promise<boolean>;
  run(report: Report): Promise<void>;
}

/** What ./wardian compares the sources with: made last, and dated when the build began. */
const STAMP = 'dist/.stamp';

/** What makes the bundles. */
const BUNDLER = ['bundle.ts', 'warm-bundle.ts', 'warmings.ts', 'quiet-sandboxer.ts'].map(
  (file) => `scripts/setup/${file}`,
);

/** The steps whose results lie in the checkout. */
export function buildSteps(root: string): Step[] {
  return [
    packagesStep(root, 'run'),
    builtStep(root, {
      title: 'protocol code',
      inputs: [
        'protocol/agent.proto',
        'protocol/ttrpc.proto',
        'scripts/generate-protocol',
        'package-lock.json',
      ],
      outputs: ['src/agent/generated/agent_pb.ts', 'src/util/ttrpc/generated/ttrpc_pb.ts'],
      build: () => run([path.join(root, 'scripts/generate-protocol')]),
    }),
    builtStep(root, {
      title: 'guest agent',
      inputs: ['guest/agent', 'protocol/agent.proto'],
      outputs: ['build/agent/agent'],
      build: () => make(root, 'guest/agent', 'build/agent'),
    }),
    builtStep(root, {
      title: 'launcher and stub',
      inputs: ['native'],
      outputs: ['dist/launcher', 'dist/stub'],
      build: () => make(root, 'native', 'dist'),
    }),
    builtStep(root, {
      title: 'bundles',
      inputs: ['src', 'package.json', 'package-lock.json', ...BUNDLER],
      outputs: ['dist/wardian.cjs', 'dist/sandboxer.cjs', 'dist/runtime.cjs'],
      build: () => bundle(root),
    }),
  ];
}

/** Tells ./wardian that everything was built from the sources as they were at `startedAt`. */
export function sealBuild(root: string, startedAt: Date): void {
  const stamp = path.join(root, STAMP);
  try {
    writeFileSync(stamp, '');
    utimesSync(stamp, startedAt, startedAt);
  } catch (error) {
    // Another user's checkout: whatever is missing in it was reported by the steps.
    if (!hasErrno(error, 'EACCES', 'EROFS')) throw error;
  }
}

const PACKAGE_TITLES: Readonly<Record<PackageUse, string>> = {
  run: 'Debian packages',
  build: 'Debian packages of the compilers',
  test: 'Debian packages of the tests',
};

/** Installs the packages of one use, or says which command does. */
export function packagesStep(root: string, use: PackageUse): Step {
  const table = readPackageTable(path.join(root, 'scripts/packages'));
  const wanted = table.filter((entry) => entry.use === use);
  let missing: PackageEntry[] = [];
  return {
    title: PACKAGE_TITLES[use],
    isDone: async () => {
      const names = await findMissingPackages(wanted.map((entry) => entry.name));
      missing = wanted.filter((entry) => names.includes(entry.name));
      return missing.length === 0;
    },
    run: async (report) => {
      if (process.getuid?.() !== 0) throw new PackagesMissing(missing);
      await installPackages(
        missing.map((entry) => entry.name),
        report,
      );
    },
  };
}

interface Build {
  readonly title: string;
  /** Files and folders, relative to the checkout. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  build(): Promise<unknown>;
}

/** A step that is done when its outputs are there and were made from inputs of the same content. */
function builtStep(root: string, { title, inputs, outputs, build }: Build): Step {
  const keyPath = path.join(root, 'build', `${title.replaceAll(' ', '-')}.key`);
  let key = '';
  return {
    title,
    isDone: () => {
      key = hashFiles(root, inputs);
      const isThere = outputs.every((output) => existsSync(path.join(root, output)));
      return isThere && existsSync(keyPath) && readFileSync(keyPath, 'utf8') === key;
    },
    run: async () => {
      await build();
      mkdirSync(path.dirname(keyPath), { recursive: true });
      writeFileSync(keyPath, key);
    },
  };
}

async function make(root: string, folder: string, output: string): Promise<void> {
  await run(['make', '-C', path.join(root, folder), `OUT=${path.join(root, output)}`]);
}

/** One hash over names and contents of files and of everything below folders. */
function hashFiles(root: string, places: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of places.flatMap((place) => listFiles(path.join(root, place)))) {
    hash.update(`${path.relative(root, file)}\0`).update(readFileSync(file));
  }
  return hash.digest('hex');
}

function listFiles(place: string): string[] {
  if (statSync(place).isFile()) return [place];
  return readdirSync(place, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.test.ts'))
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort();
}
