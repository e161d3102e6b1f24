import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { prepareSharedRoot, SHARED_FILES } from './shared-root.ts';

let directory: string;
let busybox: string;

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'wardian-root-'));
  busybox = path.join(directory, 'busybox');
  writeFileSync(busybox, 'a program', { mode: 0o755 });
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('the folder has a program, mount points and what is bound on them, for every user to read', async () => {
  const share = await prepareSharedRoot(busybox, path.join(directory, 'warm'));
  assert.equal(statSync(share).mode & 0o777, 0o755);
  assert.equal(readFileSync(path.join(share, 'rootfs/bin/sh'), 'utf8'), 'a program');
  for (const [name, place] of Object.entries(SHARED_FILES)) {
    assert.equal(readFileSync(path.join(share, name), 'utf8'), 'warm\n');
    assert.equal(statSync(path.join(share, 'rootfs', place)).size, 0);
  }
});

test('it is made once for a program, also by two at a time', async () => {
  const warm = path.join(directory, 'warm');
  const [first, second] = await Promise.all([
    prepareSharedRoot(busybox, warm),
    prepareSharedRoot(busybox, warm),
  ]);
  assert.equal(first, second);
  assert.deepEqual(readdirSync(warm), [path.basename(first)]);
  writeFileSync(busybox, 'another program');
  assert.notEqual(await prepareSharedRoot(busybox, warm), first);
});
