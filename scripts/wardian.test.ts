import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';

/** A checkout whose set-up only takes notes, and whose command line prints what it was given. */
let checkout = '';

const SETUP = `#!/bin/sh
echo set-up >>"$(dirname "$0")/notes"
exit "$SETUP_EXIT"
`;
const NOW = new Date('2024-01-02T00:00:00Z');
const EARLIER = new Date('2024-01-01T00:00:00Z');
const LATER = new Date('2024-01-03T00:00:00Z');

beforeEach(() => {
  checkout = mkdtempSync(path.join(tmpdir(), 'wardian-checkout-'));
  for (const folder of ['src', 'guest', 'native', 'protocol', '.git']) write(`${folder}/file`, '');
  write('package-lock.json', '');
  write('dist/.stamp', '', NOW);
  write('cache/guest/manifest.json', '{}');
  write('scripts/setup.sh', SETUP);
  write(
    'dist/wardian.cjs',
    `const { NODE_EXTRA_CA_CERTS: node = null, WARDIAN_NODE_EXTRA_CA_CERTS: ours = null } = process.env;
console.log(JSON.stringify({ arguments: process.argv.slice(2), node, ours }));
process.exitCode = 7;`,
  );
  write('scripts/notes', '');
  copyFileSync(path.join(import.meta.dirname, '../wardian'), path.join(checkout, 'wardian'));
  chmodSync(path.join(checkout, 'scripts/setup.sh'), 0o755);
  for (const folder of ['src', 'guest', 'native', 'protocol']) {
    utimesSync(path.join(checkout, folder), EARLIER, EARLIER);
  }
});
afterEach(() => rmSync(checkout, { recursive: true }));

function write(file: string, content: string, date = EARLIER): void {
  const target = path.join(checkout, file);
  mkdirSync(path.dirname(target), { recursive: true });
  writeFileSync(target, content);
  utimesSync(target, date, date);
}

function wardian(environment: Record<string, string> = {}, command = `${checkout}/wardian`) {
  const result = spawnSync(command, ['run', 'two words', ''], {
    encoding: 'utf8',
    env: {
      PATH: process.env['PATH'],
      WARDIAN_CACHE_DIR: path.join(checkout, 'cache'),
      SETUP_EXIT: '0',
      ...environment,
    },
  });
  const setUps = readFileSync(path.join(checkout, 'scripts/notes'), 'utf8').split('\n').length - 1;
  return { ...result, setUps };
}

test('when everything is there it passes arguments and exit code through, and sets nothing up', () => {
  const { stdout, stderr, status, setUps } = wardian();
  assert.deepEqual(JSON.parse(stdout).arguments, ['run', 'two words', '']);
  assert.equal(stderr, '');
  assert.equal(status, 7);
  assert.equal(setUps, 0);
});

test('it is found through a link', () => {
  const link = path.join(checkout, 'link');
  symlinkSync(path.join(checkout, 'wardian'), link);
  const { status, setUps } = wardian({}, link);
  assert.deepEqual([status, setUps], [7, 0]);
});

test('it sets up when the stamp or the guest is missing', () => {
  rmSync(path.join(checkout, 'dist/.stamp'));
  assert.equal(wardian().setUps, 1);
  write('dist/.stamp', '', NOW);
  assert.equal(wardian({ WARDIAN_CACHE_DIR: path.join(checkout, 'elsewhere') }).setUps, 2);
});

test('it sets up when a source is newer than the stamp, in a git checkout only', () => {
  write('src/file', '', LATER);
  assert.equal(wardian().setUps, 1);
  rmSync(path.join(checkout, '.git'), { recursive: true });
  assert.equal(wardian().setUps, 1);
});

test('generated code is no source', () => {
  write('src/agent/generated/agent_pb.ts', '', LATER);
  for (const folder of ['src', 'src/agent']) {
    utimesSync(path.join(checkout, folder), EARLIER, EARLIER);
  }
  assert.equal(wardian().setUps, 0);
});

test('when the set-up fails so does the command, with its exit code', () => {
  rmSync(path.join(checkout, 'dist/.stamp'));
  const { stdout, status } = wardian({ SETUP_EXIT: '125' });
  assert.deepEqual([stdout, status], ['', 125]);
});

test('certificates that Node would load at every start are handed on under our own name', () => {
  const { stdout } = wardian({ NODE_EXTRA_CA_CERTS: '/etc/ssl/certs/ca-certificates.crt' });
  const { node, ours } = JSON.parse(stdout);
  assert.deepEqual([node, ours], [null, '/etc/ssl/certs/ca-certificates.crt']);
});
