import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { checkSources } from './check-imports.ts';

/** What the check says about a tree of these files. */
function check(files: Record<string, string>): string[] {
  const source = mkdtempSync(path.join(tmpdir(), 'wardian-imports-'));
  try {
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(path.dirname(path.join(source, file)), { recursive: true });
      writeFileSync(path.join(source, file), text);
    }
    return checkSources(source);
  } finally {
    rmSync(source, { recursive: true });
  }
}

const EMPTY = { 'util/a.ts': '', 'host/a.ts': '', 'oci/a.ts': '', 'sandbox/a.ts': '' };

test('imports that go down, and within a room, are fine', () => {
  const files = {
    'sandbox/b.ts': `import { a } from './a.ts';\nimport type { b } from '../host/a.ts';`,
    'host/b.ts': `import '../util/a.ts';\nconst c = await import('./a.ts');`,
  };
  assert.deepEqual(check({ ...EMPTY, ...files }), []);
});

test('imports that go up or sideways are told with their line', () => {
  const files = {
    'host/b.ts': `import {\n  a,\n} from '../sandbox/a.ts';`,
    'oci/b.ts': `const a = await import('../host/a.ts');`,
  };
  assert.deepEqual(check({ ...EMPTY, ...files }), [
    'host/b.ts:3: host/ must not import from sandbox/ (that goes up)',
    'oci/b.ts:1: oci/ must not import from host/ (that goes sideways)',
  ]);
});

test('a room that the table does not know is told', () => {
  assert.deepEqual(check({ ...EMPTY, 'attic/b.ts': `import '../util/a.ts';` }), [
    'attic/b.ts:1: attic/ is not a room',
  ]);
});

test('imports of files that are not there, without suffix, or outside of src are told', () => {
  const text = `import './b.ts';\nimport './a';\nimport '../../package.ts';`;
  assert.deepEqual(check({ ...EMPTY, 'util/c.ts': text }), [
    'util/c.ts:1: ./b.ts is not there',
    'util/c.ts:2: ./a does not end in .ts',
    'util/c.ts:3: ../../package.ts is outside of src',
  ]);
});

test('a driver is imported by its own room only', () => {
  const files = {
    'hypervisor/qemu/a.ts': '',
    'hypervisor/registry.ts': `import './qemu/a.ts';`,
    'sandbox/b.ts': `import '../hypervisor/qemu/a.ts';`,
  };
  assert.deepEqual(check(files), ['sandbox/b.ts:1: hypervisor/qemu/ is private to hypervisor/']);
});

test('processes are started in host only, tests excepted', () => {
  const text = `import { spawn } from 'node:child_process';`;
  assert.deepEqual(check({ 'host/b.ts': text, 'oci/b.ts': text, 'oci/b.test.ts': text }), [
    'oci/b.ts:1: node:child_process belongs in host/',
  ]);
});

test('globals of the process are for entry points, and comments may speak of them', () => {
  const text = `// process.env\nconst home = process.env['HOME'];\nprocess.exitCode = 1;\nimport './console.ts';`;
  assert.deepEqual(
    check({
      'cli/b.ts': text,
      'cli/console.ts': '',
      'sandboxer/main.ts': text,
      'sandboxer/b.ts': text,
      'sandboxer/console.ts': 'console.log(1);',
    }),
    [
      'sandboxer/b.ts:2: process.env belongs in an entry point',
      'sandboxer/console.ts:1: console.log belongs in an entry point',
    ],
  );
});

test('files that import each other are told, unless one does so only when it is called', () => {
  const files = {
    'util/b.ts': `import './c.ts';`,
    'util/c.ts': `import type { D } from './d.ts';\nconst b = await import('./b.ts');`,
    'util/d.ts': `export type D = import('./b.ts').B;\nimport { c } from './c.ts';`,
  };
  assert.deepEqual(check(files), ['util/c.ts -> util/d.ts -> util/c.ts is a circle']);
});

test('exported functions take three parameters, whatever these are made of', () => {
  const text = `export function fine<A, B extends (a: A, b: A) => void>(
  { a, b }: Record<string, number>,
  [c, d]: [number, number],
  e: (f: number, g: number) => void,
): void {}
export async function long(a: number, b: Map<string, number>, c = [1, 2], d = 5) {}
function helper(a: number, b: number, c: number, d: number) {}`;
  assert.deepEqual(check({ 'util/b.ts': text }), [
    'util/b.ts:6: long has 4 parameters, more than 3',
  ]);
});

test('a name that is not in kebab case is told', () => {
  assert.deepEqual(check({ 'util/aB.ts': '', 'util/a-b.test.ts': '' }), [
    'util/aB.ts: its name is not in kebab case',
  ]);
});

test('a file that is too long is told', () => {
  assert.deepEqual(check({ 'util/b.ts': 'a;\n'.repeat(501) }), [
    'util/b.ts: 501 lines, more than 500',
  ]);
});
