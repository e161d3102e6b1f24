import assert from 'node:assert/strict';
import { mkdir, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { makeLayer, makeTar } from '../../test/support/oci-layout.ts';
import type { LoadProgress } from './build-image.ts';
import { ImageStore } from './image-store.ts';
import { newImage, openImageWorkshop } from './testing/image-workshop.ts';

const { newStore, writeLayout } = await openImageWorkshop();

test('loads a layout and tells all about the image', async () => {
  const { store, data } = await newStore();
  const tar = makeTar([
    { name: 'etc/passwd', type: '2', linkName: '../usr/passwd' },
    { name: 'usr/passwd', content: 'root:x:0:0::/root:/bin/sh\n' },
    { name: 'etc/group', content: 'root:x:0:\n' },
  ]);
  const config = { Cmd: ['sh'], Env: ['A=b'], User: '1:2', Volumes: { '/v': {} }, Labels: null };
  const source = await writeLayout({ layers: [makeLayer(tar)], config, refName: 'team/app:1.2' });
  const [record] = await store.load(source);
  assert.ok(record);
  assert.deepEqual(await store.find('team/app:1.2'), record);
  assert.deepEqual(record.names, ['localhost/team/app:1.2']);
  assert.equal(record.passwd, 'root:x:0:0::/root:/bin/sh\n');
  assert.equal(record.group, 'root:x:0:\n');
  assert.equal(record.createdAtMs, Date.parse('2024-01-02T03:04:05Z'));
  assert.deepEqual(record.config, {
    entrypoint: [],
    cmd: ['sh'],
    env: ['A=b'],
    workingDirectory: '',
    user: '1:2',
    stopSignal: '',
    labels: {},
    volumes: ['/v'],
    exposedPorts: [],
  });
  assert.equal((await stat(record.erofsPath)).size, record.sizeBytes);
  assert.deepEqual(await readdir(path.join(data, 'images/tmp')), []);
  assert.deepEqual(await readdir(path.join(data, 'images/locks')), []);
});

test('the machine monitor of another user can read the image', async () => {
  const { store } = await newStore();
  const umask = process.umask(0o077);
  try {
    const [record] = await store.load(await writeLayout(newImage('x')));
    const blob = record?.erofsPath ?? '';
    const mode = async (name: string) => (await stat(name)).mode & 0o777;
    assert.equal(await mode(blob), 0o644);
    assert.equal(await mode(path.dirname(blob)), 0o755);
    assert.equal(await mode(path.dirname(path.dirname(blob))), 0o755);
  } finally {
    process.umask(umask);
  }
});

test('names move to the image that was loaded last', async () => {
  const { store } = await newStore();
  const [first] = await store.load(await writeLayout(newImage('1', 'app:1')));
  const [second] = await store.load(await writeLayout(newImage('2', 'app:1')));
  assert.equal((await store.find('app:1')).id, second?.id);
  assert.deepEqual((await store.find(first?.id ?? '')).names, []);
  assert.equal((await store.list()).length, 2);
  const { deletedIds, freedBytes } = await store.prune();
  assert.deepEqual(deletedIds, [first?.id]);
  assert.equal(freedBytes, first?.sizeBytes);
  assert.deepEqual(
    (await store.list()).map(({ id }) => id),
    [second?.id],
  );
});

test('finds by names, ids and digests, and says when it cannot', async () => {
  const { store } = await newStore();
  await assert.rejects(store.find('box'), { code: 'IMAGE_NOT_FOUND' });
  const [record] = await store.load(await writeLayout(newImage('x', 'latest')));
  assert.ok(record);
  const references = ['box', 'box:latest', 'localhost/box', record.id, record.id.slice(0, 3)];
  for (const reference of [...references, `sha256:${record.id}`, `box@${record.digest}`]) {
    assert.equal((await store.find(reference)).id, record.id, reference);
  }
  for (const reference of ['box:other', 'docker.io/box', record.id.slice(0, 2), '../x', '']) {
    await assert.rejects(store.find(reference), { code: 'IMAGE_NOT_FOUND' }, reference);
  }
});

test('removes names, then the image; content that another image shares stays', async () => {
  const { store } = await newStore();
  const layers = newImage('shared').layers;
  const source = await writeLayout({ layers, config: { Cmd: ['a'] } });
  const [one] = await store.load(source, { names: ['a', 'b'] });
  const [other] = await store.load(await writeLayout({ layers, config: { Cmd: ['b'] } }), {
    names: ['c'],
  });
  assert.equal(one?.erofsPath, other?.erofsPath);
  const id = one?.id ?? '';
  await assert.rejects(store.remove(id), { code: 'USAGE', message: /localhost\/a:latest/ });
  const untagged = await store.remove('a');
  assert.deepEqual(untagged, {
    untagged: ['localhost/a:latest'],
    deletedId: undefined,
    freedBytes: 0,
  });
  assert.equal((await store.remove('b')).deletedId, id);
  await assert.rejects(store.find(id), { code: 'IMAGE_NOT_FOUND' });
  assert.equal((await stat((await store.find('c')).erofsPath)).size, other?.sizeBytes);
  const removed = await store.remove(other?.id ?? '', { force: true });
  assert.equal(removed.freedBytes, other?.sizeBytes);
});

test('says what is damaged, and loading again mends it', async () => {
  const { store, data } = await newStore();
  const source = await writeLayout(newImage('x', 'latest'));
  const [record] = await store.load(source);
  const damaged = { code: 'STATE_CORRUPT', hint: /load it again, or remove it: wardian rmi/ };
  const recordPath = path.join(data, 'images/records', `${record?.id}.json`);
  const damages = [
    () => truncate(record?.erofsPath ?? '', 100),
    () => rm(record?.erofsPath ?? ''),
    () => rm(recordPath),
    () => writeFile(recordPath, '{}'),
  ];
  for (const damage of damages) {
    await damage();
    await assert.rejects(store.find('box'), damaged);
    assert.deepEqual(await store.list(), []);
    await store.load(source);
    assert.equal((await store.find('box')).id, record?.id);
  }
});

test('loads at once make the image once', async () => {
  const { store, data } = await newStore();
  const source = await writeLayout(newImage('x', 'latest'));
  const stores = [store, new ImageStore(data), new ImageStore(data)];
  const writes: number[] = [];
  const onProgress = ({ phase }: LoadProgress) => phase === 'writing' && writes.push(1);
  const ids = await Promise.all(
    stores.map(async (each) => (await each.load(source, { onProgress }))[0]?.loadedAtMs),
  );
  assert.equal(new Set(ids).size, 1);
  assert.equal(writes.length, 1);
});

test('reports progress, and a cancelled load leaves nothing', async () => {
  const { store, data } = await newStore();
  const content = Buffer.alloc(3_000_000, 'x').toString();
  const source = await writeLayout(newImage(content, 'latest'));
  const controller = new AbortController();
  const onProgress = ({ phase }: LoadProgress) => phase === 'writing' && controller.abort();
  await assert.rejects(store.load(source, { onProgress, signal: controller.signal }), {
    code: 'CANCELLED',
  });
  assert.deepEqual(await readdir(path.join(data, 'images/tmp')), []);
  assert.deepEqual(await readdir(path.join(data, 'images/blobs')), []);
  assert.deepEqual(await store.list(), []);
  const seen: LoadProgress[] = [];
  await store.load(source, { onProgress: (progress) => seen.push(progress) });
  for (const phase of ['reading', 'writing']) {
    const last = seen.filter((progress) => progress.phase === phase).at(-1);
    assert.equal(last?.doneBytes, last?.totalBytes, phase);
  }
});

test('clears what killed processes left, and nothing of the living', async () => {
  const { store, data } = await newStore();
  await store.load(await writeLayout(newImage('x', 'latest')));
  const dead = path.join(data, 'images/tmp/1.1.another-boot.0123');
  await mkdir(dead);
  await writeFile(path.join(dead, 'spool'), 'x');
  await writeFile(path.join(data, 'images/blobs/orphan.erofs'), 'x');
  await store.prune();
  assert.deepEqual(await readdir(path.join(data, 'images/tmp')), []);
  assert.equal((await readdir(path.join(data, 'images/blobs'))).length, 1);
});
