import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { Script } from 'node:vm';
import { bundleEntry, writeCode, writeLoader } from './bundle.ts';
import { warmBundle } from './warm-bundle.ts';
import { QUICK_WARMING, RUNTIME_WARMING } from './warmings.ts';

let directory = '';

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'wardian-bundle-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const CODE = `const path = require('node:path');
console.log(path.basename(process.argv[1]), process.argv[2], path.basename(__dirname), typeof module.exports);`;

function writeTool(code: string): void {
  writeCode(directory, 'tool', code);
  writeLoader(directory, 'tool');
}

function runBundle(): string {
  return execFileSync(process.execPath, [path.join(directory, 'tool.cjs'), 'word'], {
    encoding: 'utf8',
    cwd: '/',
    stdio: 'pipe',
  });
}

test('a bundle runs as a CommonJS file does', () => {
  writeTool(CODE);
  assert.equal(runBundle(), `tool.cjs word ${path.basename(directory)} object\n`);
});

test('V8 takes the cache that was made for the code', () => {
  writeTool(CODE);
  const script = new Script(readFileSync(path.join(directory, 'tool.code.js'), 'latin1'), {
    cachedData: readFileSync(path.join(directory, 'tool.code.cache')),
  });
  assert.equal(script.cachedDataRejected, false);
});

test('a cache of another V8 does no harm', () => {
  writeTool(CODE);
  writeFileSync(path.join(directory, 'tool.code.cache'), 'something else');
  assert.match(runBundle(), /^tool\.cjs word/);
});

test('a stack trace names the code', () => {
  writeTool(`\nfunction fail() {\nthrow new Error('told');\n}\nfail();`);
  assert.throws(runBundle, /tool\.code\.js:3/);
});

test('one loader chooses between two bundles by the first word', () => {
  writeCode(directory, 'tool', 'console.log("whole")');
  writeCode(directory, 'tool-quick', 'console.log("quick")');
  writeLoader(directory, 'tool', { name: 'tool-quick', words: ['word', '-w'] });
  const tool = path.join(directory, 'tool.cjs');
  const say = (...words: string[]) =>
    execFileSync(process.execPath, ['--', tool, ...words], { encoding: 'utf8' });
  assert.deepEqual(
    [say('word'), say('-w', 'x'), say('other', 'word'), say()],
    ['quick\n', 'quick\n', 'whole\n', 'whole\n'],
  );
});

const WARMINGS = { 'cli/quick-main.ts': QUICK_WARMING, 'oci-runtime/main.ts': RUNTIME_WARMING };

for (const [source, warming] of Object.entries(WARMINGS)) {
  test(`a warm cache of ${source} has the functions of the commands that ran, and V8 takes it`, async () => {
    const entry = path.resolve(import.meta.dirname, '../../src', source);
    writeCode(directory, 'tool', (await bundleEntry(entry)).code);
    const cachePath = path.join(directory, 'tool.code.cache');
    const cold = readFileSync(cachePath).length;
    await warmBundle(directory, 'tool', warming);
    const cachedData = readFileSync(cachePath);
    assert.ok(cachedData.length > 1.2 * cold, `${cachedData.length} bytes after ${cold}`);
    const code = readFileSync(path.join(directory, 'tool.code.js'), 'latin1');
    assert.equal(new Script(code, { cachedData }).cachedDataRejected, false);
  });
}

test('code that fails is told when its cache is warmed', async () => {
  writeCode(directory, 'tool', 'throw new Error("broken")');
  await assert.rejects(warmBundle(directory, 'tool', QUICK_WARMING), /broken/);
});
