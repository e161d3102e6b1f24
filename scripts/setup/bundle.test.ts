import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { Script } from 'node:vm';
import { bundleEntry, writeBundle } from './bundle.ts';

let directory = '';

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'wardian-bundle-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const CODE = `const path = require('node:path');
console.log(path.basename(process.argv[1]), process.argv[2], path.basename(__dirname), typeof module.exports);`;

function runBundle(): string {
  return execFileSync(process.execPath, [path.join(directory, 'tool.cjs'), 'word'], {
    encoding: 'utf8',
    cwd: '/',
    stdio: 'pipe',
  });
}

test('a bundle runs as a CommonJS file does', () => {
  writeBundle(directory, 'tool', CODE);
  assert.equal(runBundle(), `tool.cjs word ${path.basename(directory)} object\n`);
});

test('V8 takes the cache that was made for the code', () => {
  writeBundle(directory, 'tool', CODE);
  const script = new Script(readFileSync(path.join(directory, 'tool.code.js'), 'utf8'), {
    cachedData: readFileSync(path.join(directory, 'tool.code.cache')),
  });
  assert.equal(script.cachedDataRejected, false);
});

test('a cache of another V8 does no harm', () => {
  writeBundle(directory, 'tool', CODE);
  writeFileSync(path.join(directory, 'tool.code.cache'), 'something else');
  assert.match(runBundle(), /^tool\.cjs word/);
});

test('a stack trace names the code', () => {
  writeBundle(directory, 'tool', `\nfunction fail() {\nthrow new Error('told');\n}\nfail();`);
  assert.throws(runBundle, /tool\.code\.js:3/);
});

test('the command loads nothing that only the sandboxer needs', async () => {
  const source = path.resolve(import.meta.dirname, '../../src');
  const [command, sandboxer] = await Promise.all(
    ['cli', 'sandboxer'].map((room) => bundleEntry(path.join(source, room, 'main.ts'))),
  );
  const findAgent = (bundled?: { inputs: readonly string[] }) =>
    bundled?.inputs.filter((file) => /\bnode_modules\/|\bsrc\/(agent|sandbox)\//.test(file));
  assert.deepEqual(findAgent(command), []);
  assert.ok(findAgent(sandboxer)?.some((file) => file.includes('node_modules/@bufbuild/')));
});
