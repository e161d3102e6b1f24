import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { writeCpio } from './cpio.ts';
import { buildInitramfs } from './initramfs.ts';

const CONTENTS = {
  agent: Buffer.from('the agent'),
  modules: [
    { name: 'virtio_ring', content: Buffer.from('first') },
    { name: '9p', content: Buffer.from('second, of odd length') },
  ],
};

test('the same contents give the same bytes', () => {
  assert.deepEqual(buildInitramfs(CONTENTS), buildInitramfs(CONTENTS));
});

test('an archive does not depend on the order of its entries', () => {
  const folder = { type: 'directory', path: 'a', mode: 0o755 } as const;
  const file = { type: 'file', path: 'a/b', mode: 0o644, content: Buffer.from('x') } as const;
  assert.deepEqual(writeCpio([folder, file]), writeCpio([file, folder]));
});

test('cpio reads the initramfs: init, modules, their order, the console', () => {
  const archive = buildInitramfs(CONTENTS);
  const listing = execFileSync('cpio', ['-tv', '--numeric-uid-gid', '--quiet'], {
    input: archive,
    env: { ...process.env, TZ: 'UTC', LC_ALL: 'C' },
  })
    .toString()
    .trim()
    .split('\n')
    .map((line) => line.replace(/\s+/g, ' '));
  assert.deepEqual(listing, [
    'drwxr-xr-x 2 0 0 0 Jan 1 1970 dev',
    'crw------- 1 0 0 5, 1 Jan 1 1970 dev/console',
    '-rwxr-xr-x 1 0 0 9 Jan 1 1970 init',
    'drwxr-xr-x 2 0 0 0 Jan 1 1970 lib',
    'drwxr-xr-x 2 0 0 0 Jan 1 1970 lib/modules',
    '-rw-r--r-- 1 0 0 21 Jan 1 1970 lib/modules/9p.ko',
    '-rw-r--r-- 1 0 0 47 Jan 1 1970 lib/modules/load',
    '-rw-r--r-- 1 0 0 5 Jan 1 1970 lib/modules/virtio_ring.ko',
    'drwxr-xr-x 2 0 0 0 Jan 1 1970 proc',
    'drwxr-xr-x 2 0 0 0 Jan 1 1970 root',
    'drwxr-xr-x 2 0 0 0 Jan 1 1970 run',
    'drwxr-xr-x 2 0 0 0 Jan 1 1970 sys',
    'drwxr-xr-x 2 0 0 0 Jan 1 1970 tmp',
  ]);
  const load = '/lib/modules/virtio_ring.ko\n/lib/modules/9p.ko\n';
  assert.ok(archive.includes(load), 'modules are listed in the order in which they load');
});

test('every record and every content begins at a multiple of four', () => {
  const archive = buildInitramfs(CONTENTS);
  for (let at = archive.indexOf('070701'); at >= 0; at = archive.indexOf('070701', at + 1)) {
    assert.equal(at % 4, 0);
  }
  assert.equal(archive.length % 4, 0);
});

test('an entry without its folder, or twice, is refused', () => {
  const file = { type: 'file', path: 'a/b', mode: 0o644, content: Buffer.alloc(0) } as const;
  assert.throws(() => writeCpio([file]), /a\/b stands in no folder/);
  const link = { type: 'symlink', path: 'a', mode: 0o777, target: 'b' } as const;
  assert.throws(() => writeCpio([link, link]), /a is there twice/);
});
