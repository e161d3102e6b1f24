import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import {
  addBlob,
  addImage,
  addIndex,
  makeArchive,
  makeLayer,
  makeLayout,
  makeTar,
  type TestFiles,
  type TestLayer,
} from '../../test/support/oci-layout.ts';
import { ImageStore } from './image-store.ts';
import type { ImageLimits } from './limits.ts';

const folder = await mkdtemp(path.join(os.tmpdir(), 'wardian-hostile-'));
after(() => rm(folder, { recursive: true }));

const layer = makeLayer(makeTar([{ name: 'file', content: 'x'.repeat(5000) }]));
let serial = 0;

/** Loads an archive that must be refused, and looks for what was left behind. */
async function assertRefused(
  data: Buffer,
  expected: { code: string; message: RegExp },
  limits: Partial<ImageLimits> = {},
): Promise<void> {
  const store = path.join(folder, `${++serial}`);
  async function* source(): AsyncGenerator<Buffer> {
    yield data;
  }
  await assert.rejects(new ImageStore(store, limits).load(source()), (error: Error) => {
    assert.match(error.message, expected.message);
    assert.equal((error as Error & { code: string }).code, expected.code);
    assert.ok((error as Error & { hint?: string }).hint, 'it says what to do');
    return true;
  });
  for (const name of ['tmp', 'blobs', 'records', 'locks']) {
    assert.deepEqual(await readdir(path.join(store, 'images', name)), [], name);
  }
}

const archiveOf = (...layers: TestLayer[]) => makeArchive(makeLayout({ layers }));
const invalid = (message: RegExp) => ({ code: 'IMAGE_INVALID', message });
const unsupported = (message: RegExp) => ({ code: 'IMAGE_UNSUPPORTED', message });

function change(edit: (files: TestFiles) => void, layers: TestLayer[] = [layer]): Buffer {
  const files = makeLayout({ layers });
  edit(files);
  return makeArchive(files);
}

function editBlob(test: (text: string) => boolean, edit: (data: Buffer) => Buffer) {
  return (files: TestFiles) => {
    for (const [name, data] of files) {
      if (name.startsWith('blobs/') && test(data.toString('latin1'))) files.set(name, edit(data));
    }
  };
}

const isConfig = (text: string) => text.includes('diff_ids');
const isLayer = (text: string) => !text.startsWith('{');

test('what is no image', async () => {
  await assertRefused(Buffer.alloc(0), invalid(/neither an OCI layout nor a docker archive/));
  await assertRefused(makeTar([{ name: 'a' }]), invalid(/neither/));
  await assertRefused(Buffer.alloc(2000, 'x'), invalid(/not a tar archive/));
});

test('blobs that do not match their digests', async () => {
  const flip = (data: Buffer) => {
    const copy = Buffer.from(data);
    copy[copy.length - 1] = (copy.at(-1) ?? 0) ^ 1;
    return copy;
  };
  await assertRefused(change(editBlob(isConfig, flip)), invalid(/does not match its digest/));
  await assertRefused(change(editBlob(isLayer, flip)), invalid(/digest|gzip/));
  await assertRefused(
    change(editBlob(isLayer, (data) => data.subarray(1))),
    invalid(/bytes instead of/),
  );
  await assertRefused(
    change((files) => files.delete([...files.keys()].find((name) => /blobs/.test(name)) ?? '')),
    invalid(/is missing/),
  );
});

test('layers that are not those of the configuration', async () => {
  const other = makeLayer(makeTar([{ name: 'other' }]));
  await assertRefused(
    archiveOf({ ...layer, diffId: other.diffId }),
    invalid(/layer 1 .* does not match its digest/),
  );
});

test('truncated compression', async () => {
  const blob = layer.blob.subarray(0, layer.blob.length - 12);
  await assertRefused(archiveOf({ ...layer, blob }), invalid(/truncated gzip/));
  const zstd = Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), Buffer.alloc(20, 0xff)]);
  await assertRefused(archiveOf({ ...layer, blob: zstd }), invalid(/truncated zstd/));
});

test('bombs', async () => {
  const bomb = makeLayer(makeTar([{ name: 'zeros', content: Buffer.alloc(8_000_000) }]));
  await assertRefused(archiveOf(bomb), invalid(/more than 1000000 bytes/), {
    maxExpandedBytes: 1_000_000,
  });
  await assertRefused(archiveOf(bomb), invalid(/more than 100 times its size/), {
    maxExpansionRatio: 100,
    ratioFreeBytes: 1_000_000,
  });
  const many = makeLayer(
    makeTar(Array.from({ length: 200 }, (_, index) => ({ name: `${index}` }))),
  );
  await assertRefused(archiveOf(many), invalid(/more than 100 entries/), { maxEntries: 100 });
});

test('paths and links that lead out', async () => {
  const withEntry = (entry: Parameters<typeof makeTar>[0][number]) =>
    archiveOf(makeLayer(makeTar([entry])));
  await assertRefused(withEntry({ name: '../../etc/cron.d/x' }), invalid(/leads out/));
  await assertRefused(
    withEntry({ name: 'a', type: '1', linkName: '/etc/shadow' }),
    invalid(/not in the image/),
  );
  await assertRefused(withEntry({ name: 'a', pax: { path: 'b\0c' } }), invalid(/record path/));
});

test('what we do not read', async () => {
  const type = (mediaType: string) => archiveOf({ ...layer, mediaType });
  const oci = 'application/vnd.oci.image.layer';
  await assertRefused(type(`${oci}.nondistributable.v1.tar+gzip`), unsupported(/foreign layer/));
  await assertRefused(type(`${oci}.v1.tar+gzip+encrypted`), unsupported(/encrypted/));
  await assertRefused(type('text/html'), unsupported(/media type "text\/html"/));
  const arm = makeArchive(makeLayout({ layers: [layer], architecture: 'arm64' }));
  await assertRefused(arm, unsupported(/is for linux\/arm64/));
});

test('malformed documents', async () => {
  const index = (text: string) => change((files) => files.set('index.json', Buffer.from(text)));
  await assertRefused(index('{'), invalid(/index.json is not JSON/));
  await assertRefused(index('[]'), invalid(/not an object/));
  await assertRefused(index('{"schemaVersion":1}'), unsupported(/schema version 2/));
  await assertRefused(index('{"schemaVersion":2}'), unsupported(/lists no image/));
  const digest = '{"schemaVersion":2,"manifests":[{"digest":"sha256:../../x","size":1}]}';
  await assertRefused(index(digest), invalid(/malformed digest "sha256:\.\.\/\.\.\/x"/));
  await assertRefused(index(`{"x":"${'y'.repeat(2000)}"}`), invalid(/more than the 1000/), {
    maxJsonBytes: 1000,
  });
  const extra = { ...layer, diffId: 'md5:1' };
  await assertRefused(archiveOf(extra), invalid(/malformed diff_id "md5:1"/));
  await assertRefused(archiveOf(layer, layer, layer), invalid(/3 layers, more than 2/), {
    maxLayers: 2,
  });
});

test('an index that leads in circles', async () => {
  const files: TestFiles = new Map();
  let descriptor = addImage(files, { layers: [layer] });
  for (let depth = 0; depth < 6; depth++) {
    const data = Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [descriptor] }));
    descriptor = addBlob(files, data, 'application/vnd.oci.image.index.v1+json');
  }
  addIndex(files, [descriptor]);
  await assertRefused(makeArchive(files), invalid(/more than 4 others/));
});

test('a docker archive that lacks its parts', async () => {
  const archive = (manifest: unknown) =>
    makeTar([
      { name: 'manifest.json', content: JSON.stringify(manifest) },
      { name: 'c', content: '{}' },
    ]);
  await assertRefused(archive({}), invalid(/not a list/));
  await assertRefused(archive([{ Config: 'none' }]), invalid(/"none" is missing/));
  await assertRefused(archive([{ Config: 'c', Layers: ['l'] }]), invalid(/lists 0/));
});

test('a folder whose files are not files', async () => {
  const store = new ImageStore(path.join(folder, 'devices'));
  await assert.rejects(store.load('/dev'), { code: 'IMAGE_INVALID' });
  await assert.rejects(store.load('/nonexistent/image'), { code: 'PATH_NOT_FOUND' });
});
