import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import {
  describeStatus,
  findMissingPackages,
  installCommand,
  PackagesMissing,
  readPackageTable,
} from './debian.ts';

function readTable(text: string) {
  const directory = mkdtempSync(path.join(tmpdir(), 'wardian-packages-'));
  try {
    const file = path.join(directory, 'packages');
    writeFileSync(file, text);
    return readPackageTable(file);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test('the table is read without comments and empty lines', () => {
  assert.deepEqual(readTable('# name\n\nqemu  | run | the machine\nskopeo|test|archives\n'), [
    { name: 'qemu', use: 'run', reason: 'the machine' },
    { name: 'skopeo', use: 'test', reason: 'archives' },
  ]);
});

test('a line without reason or with another use is refused', () => {
  assert.throws(() => readTable('qemu | run |\n'), /name \| run, build or test \| reason/);
  assert.throws(() => readTable('qemu | sometimes | why\n'), /sometimes/);
});

test('the table of this repository can be read, and names each package once', () => {
  const names = readPackageTable(path.join(import.meta.dirname, '../packages')).map(
    (entry) => entry.name,
  );
  assert.equal(new Set(names).size, names.length);
  assert.ok(names.includes('qemu-system-x86'));
});

test('installed packages are told from missing and unknown ones', async () => {
  assert.deepEqual(await findMissingPackages(['dpkg', 'wardian-no-such-package']), [
    'wardian-no-such-package',
  ]);
});

test('whoever is not root is told the command and the reason of each package', () => {
  const missing = new PackagesMissing([
    { name: 'gcc', use: 'run', reason: 'compiles' },
    { name: 'xz-utils', use: 'run', reason: 'unpacks' },
  ]);
  assert.match(missing.message, /gcc {7}compiles\n/);
  assert.ok(missing.message.includes(`sudo ${installCommand(['gcc', 'xz-utils']).join(' ')}`));
  assert.match(missing.message, /hint: sudo apt-get update && sudo apt-get install [^\n]*$/);
});

test("apt's status lines become a few words", () => {
  assert.equal(describeStatus('dlstatus:3:41.6:Retrieving file 3 of 7'), '42 % fetched');
  assert.equal(
    describeStatus('pmstatus:gcc:50:Unpacking gcc (amd64)'),
    '50 %  Unpacking gcc (amd64)',
  );
  assert.equal(describeStatus('media-change: something'), '');
});
