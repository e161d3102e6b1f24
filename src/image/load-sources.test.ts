import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { extractErofs, readFolder, skipWithout } from '../../test/support/erofs-tools.ts';
import {
  addBlob,
  addImage,
  addIndex,
  makeArchive,
  makeLayer,
  makeLayout,
  makeTar,
  sha256,
  type TestFiles,
  writeFolder,
} from '../../test/support/oci-layout.ts';
import { newImage, openImageWorkshop } from './testing/image-workshop.ts';

const { newPath, newStore, writeLayout } = await openImageWorkshop();

async function writeArchive(data: Buffer, name = 'box.tar'): Promise<string> {
  const filePath = newPath(name);
  await mkdir(path.dirname(filePath), { recursive: true });
  await writeFile(filePath, data);
  return filePath;
}

async function* stream(data: Buffer): AsyncGenerator<Buffer> {
  yield data.subarray(0, 100);
  yield data.subarray(100);
}

test('the same image from every kind of source is the same file', async () => {
  const image = newImage('same', 'v1');
  const archive = makeArchive(makeLayout(image));
  const sources = [
    await writeLayout(image),
    await writeArchive(archive),
    await writeArchive(gzipSync(archive), 'box.tar.gz'),
    stream(archive),
    stream(gzipSync(archive)),
  ];
  if (skipWithout('zstd') === false) {
    const zstd = execFileSync('zstd', ['-c'], { input: archive });
    sources.push(await writeArchive(zstd, 'box.tar.zst'));
  }
  const blobs = new Set<string>();
  for (const source of sources) {
    const { store } = await newStore();
    const [record] = await store.load(source);
    blobs.add(path.basename(record?.erofsPath ?? ''));
  }
  assert.equal(blobs.size, 1);
});

test('merges layers, plain and compressed', {
  skip: skipWithout('fsck.erofs', 'erofs-utils'),
}, async () => {
  const { store } = await newStore();
  const layers = [
    makeLayer(makeTar([{ name: 'a', content: '1' }, { name: 'b', content: '1' }, { name: 'd/x' }])),
    makeLayer(makeTar([{ name: 'a', content: '2' }, { name: '.wh.b' }]), 'none'),
    makeLayer(makeTar([{ name: 'd/.wh..wh..opq' }, { name: 'd/y', content: 'y', mode: 0o711 }])),
  ];
  const [record] = await store.load(await writeLayout({ layers }));
  const target = newPath('tree');
  await mkdir(path.dirname(target));
  await extractErofs(record?.erofsPath ?? '', target);
  assert.deepEqual(Object.fromEntries(await readFolder(target)), {
    a: { kind: 'file', mode: 0o644, content: '2' },
    d: { kind: 'directory', mode: 0o755, content: '' },
    'd/y': { kind: 'file', mode: 0o711, content: 'y' },
  });
});

test('loads zstd layers', { skip: skipWithout('zstd') }, async () => {
  const { store } = await newStore();
  const tar = makeTar([{ name: 'etc/group', content: 'g'.repeat(1000) }]);
  const blob = execFileSync('zstd', ['-c'], { input: tar });
  const mediaType = 'application/vnd.oci.image.layer.v1.tar+zstd';
  const layer = { blob, mediaType, diffId: sha256(tar) };
  const [record] = await store.load(await writeLayout({ layers: [layer] }));
  assert.equal(record?.group.length, 1000);
});

test('loads every image of a docker archive under its names', async () => {
  const { store } = await newStore();
  const files: TestFiles = new Map();
  const manifest = ['one', 'two'].map((content) => {
    const tar = makeTar([{ name: 'f', content }]);
    files.set(`${content}/layer.tar`, tar);
    const config = Buffer.from(JSON.stringify({ rootfs: { diff_ids: [sha256(tar)] } }));
    files.set(`${content}.json`, config);
    return {
      Config: `${content}.json`,
      RepoTags: [`${content}:1`],
      Layers: [`${content}/layer.tar`],
    };
  });
  files.set('manifest.json', Buffer.from(JSON.stringify(manifest)));
  const archive = makeArchive(files);
  const records = await store.load(await writeArchive(archive));
  assert.deepEqual(
    records.flatMap(({ names }) => names),
    ['docker.io/library/one:1', 'docker.io/library/two:1'],
  );
  assert.equal((await store.find('two:1')).id, records[1]?.id);
  const source = await writeArchive(archive);
  await assert.rejects(store.load(source, { names: ['x'] }), { code: 'USAGE' });
});

test('follows the links between layers in archives of old docker versions', async () => {
  const { store } = await newStore();
  const tar = makeTar([{ name: 'f' }]);
  const config = JSON.stringify({ rootfs: { diff_ids: [sha256(tar), sha256(tar)] } });
  const manifest = JSON.stringify([{ Config: 'c.json', Layers: ['a/layer.tar', 'b/layer.tar'] }]);
  const archive = makeTar([
    { name: 'a/layer.tar', content: tar },
    { name: 'b/layer.tar', type: '2', linkName: '../a/layer.tar' },
    { name: 'c.json', content: config },
    { name: 'manifest.json', content: manifest },
  ]);
  assert.equal((await store.load(await writeArchive(archive))).length, 1);
});

test('chooses the platform, through nested indexes and past attestations', async () => {
  const { store } = await newStore();
  const files: TestFiles = new Map();
  const arm = addImage(files, { ...newImage('arm'), architecture: 'arm64' });
  const amd = addImage(files, newImage('amd'));
  const platform = (architecture: string) => ({ os: 'linux', architecture });
  const inner = {
    schemaVersion: 2,
    manifests: [
      { ...amd, platform: platform('unknown'), annotations: { 'vnd.docker.reference.type': 'x' } },
      { ...arm, platform: platform('arm64') },
      { ...amd, platform: platform('amd64') },
    ],
  };
  const type = 'application/vnd.oci.image.index.v1+json';
  addIndex(files, [addBlob(files, Buffer.from(JSON.stringify(inner)), type)]);
  const [record] = await store.load(await writeFolder(newPath('multi'), files));
  assert.equal(record?.digest, amd.digest);
  addIndex(files, [{ ...arm, platform: platform('arm64') }]);
  const expected = { code: 'IMAGE_UNSUPPORTED', message: /only for linux\/arm64/ };
  await assert.rejects(store.load(await writeFolder(newPath('arm'), files)), expected);
});
