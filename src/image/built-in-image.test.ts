import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { extractErofs, readFolder } from '../../test/support/erofs-tools.ts';
import { makeLayer, makeLayout, makeTar, writeFolder } from '../../test/support/oci-layout.ts';
import { importBuiltInImage } from './built-in-image.ts';
import { ImageStore } from './image-store.ts';

const BUSYBOX = '/bin/busybox';
const skip = existsSync(BUSYBOX) ? false : 'busybox-static is not installed';

const folder = await mkdtemp(path.join(os.tmpdir(), 'wardian-built-in-'));
after(() => rm(folder, { recursive: true }));

test('makes an image of busybox, once, and the same each time', { skip }, async () => {
  const store = new ImageStore(path.join(folder, 'one'));
  const record = await importBuiltInImage(store, BUSYBOX);
  assert.deepEqual(await importBuiltInImage(store, BUSYBOX), record);
  assert.deepEqual(await store.find('busybox'), record);
  assert.deepEqual(record.config.cmd, ['sh']);
  assert.match(record.passwd, /^root:x:0:0:/);
  const again = await importBuiltInImage(new ImageStore(path.join(folder, 'two')), BUSYBOX);
  assert.equal(path.basename(again.erofsPath), path.basename(record.erofsPath));
  await extractErofs(record.erofsPath, path.join(folder, 'tree'));
  const seen = await readFolder(path.join(folder, 'tree'));
  const { size } = await stat(BUSYBOX);
  for (const name of ['bin/sh', 'bin/busybox', 'usr/bin/awk']) {
    assert.equal(seen.get(name)?.content.length, size, name);
  }
  assert.equal(seen.get('tmp')?.mode, 0o1777);
  assert.equal(seen.get('root')?.kind, 'directory');
});

test('leaves an image alone that has the name already', { skip }, async () => {
  const store = new ImageStore(path.join(folder, 'three'));
  const layers = [makeLayer(makeTar([{ name: 'mine' }]))];
  const source = await writeFolder(path.join(folder, 'layout'), makeLayout({ layers }));
  const [mine] = await store.load(source, { names: ['busybox'] });
  assert.equal((await importBuiltInImage(store, BUSYBOX)).id, mine?.id);
});

test('says what to install', async () => {
  const store = new ImageStore(path.join(folder, 'four'));
  await assert.rejects(importBuiltInImage(store, '/nonexistent/busybox'), {
    code: 'HOST_SETUP_MISSING',
    hint: /busybox-static/,
  });
});
