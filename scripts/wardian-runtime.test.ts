import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';

const COMMAND = path.resolve(import.meta.dirname, '../wardian-runtime');
/** Says how it was started. */
const BUNDLE = `const { NODE_OPTIONS, NODE_EXTRA_CA_CERTS } = process.env;
console.log(JSON.stringify([process.argv.slice(2), NODE_OPTIONS, NODE_EXTRA_CA_CERTS]));
process.exit(7);`;

let checkout = '';

beforeEach(() => {
  checkout = mkdtempSync(path.join(tmpdir(), 'wardian-'));
  copyFileSync(COMMAND, path.join(checkout, 'wardian-runtime'));
  mkdirSync(path.join(checkout, 'dist'));
  writeFileSync(path.join(checkout, 'dist/runtime.cjs'), BUNDLE);
});

afterEach(() => rmSync(checkout, { recursive: true }));

function run(command: string, environment: Record<string, string> = {}, cwd = '/') {
  return spawnSync(command, ['--env-file', 'x', 'run ID'], {
    env: environment,
    cwd,
    encoding: 'utf8',
  });
}

test('it works without any environment, from anywhere, and through links', () => {
  const link = path.join(checkout, 'link');
  symlinkSync('wardian-runtime', link);
  const commands: [string, Record<string, string>, string][] = [
    [path.join(checkout, 'wardian-runtime'), {}, '/'],
    [path.join(checkout, 'wardian-runtime'), { PATH: '/nowhere' }, '/'],
    ['./wardian-runtime', { PATH: process.env['PATH'] ?? '' }, checkout],
    [link, { PATH: process.env['PATH'] ?? '' }, '/'],
  ];
  for (const [command, environment, cwd] of commands) {
    const { status, stdout, stderr } = run(command, environment, cwd);
    assert.deepEqual([status, stderr], [7, ''], command);
    assert.deepEqual(JSON.parse(stdout), [['--env-file', 'x', 'run ID'], null, null]);
  }
});

test('what slows Node down, or makes it talk, does not reach it', () => {
  const environment = { NODE_OPTIONS: '--trace-warnings', NODE_EXTRA_CA_CERTS: '/nowhere' };
  const { stdout, stderr } = run(path.join(checkout, 'wardian-runtime'), environment);
  assert.deepEqual(JSON.parse(stdout).slice(1), [null, null]);
  assert.equal(stderr, '');
});

test('it builds nothing, and says how that is done', () => {
  rmSync(path.join(checkout, 'dist/runtime.cjs'));
  const { status, stdout, stderr } = run(path.join(checkout, 'wardian-runtime'));
  assert.deepEqual([status, stdout], [1, '']);
  assert.match(
    stderr,
    /^wardian-runtime: .*dist\/runtime.cjs is not built: run .*\/wardian check.*\n$/,
  );
});
