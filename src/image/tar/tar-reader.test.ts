import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeTar, type TestEntry } from '../../../test/support/oci-layout.ts';
import { readTar, type TarEntry } from './tar-reader.ts';

type ReadEntry = Omit<TarEntry, 'content'> & { text: string };

async function* inChunks(data: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let start = 0; start < data.length; start += size) yield data.subarray(start, start + size);
}

async function readAll(data: Buffer, chunkSize = 1000): Promise<ReadEntry[]> {
  const entries: ReadEntry[] = [];
  for await (const { content, ...entry } of readTar(inChunks(data, chunkSize), 'the layer')) {
    const chunks: Buffer[] = [];
    for await (const chunk of content) chunks.push(chunk);
    entries.push({ ...entry, text: Buffer.concat(chunks).toString('latin1') });
  }
  return entries;
}

const readEntries = (...entries: TestEntry[]) => readAll(makeTar(entries));

test('reads entries whatever the chunks are', async () => {
  const tar = makeTar([
    { name: 'a', content: 'x'.repeat(1500), mode: 0o4755, uid: 1, gid: 2, mtime: 3 },
    { name: 'dir/', type: '5' },
    { name: 'old-dir/' },
    { name: 'l', type: '2', linkName: 'a' },
    { name: 'null', type: '3', major: 1, minor: 3 },
  ]);
  const whole = await readAll(tar, 1e6);
  for (const size of [1, 7, 511, 512, 513]) assert.deepEqual(await readAll(tar, size), whole);
  assert.deepEqual(
    whole.map(({ name, kind }) => [name, kind]),
    [
      ['a', 'file'],
      ['dir/', 'directory'],
      ['old-dir/', 'directory'],
      ['l', 'symlink'],
      ['null', 'character-device'],
    ],
  );
  const [first] = whole;
  assert.deepEqual([first?.mode, first?.uid, first?.gid, first?.mtimeSeconds], [0o4755, 1, 2, 3]);
  assert.equal(first?.text.length, 1500);
});

test('passes over content that nobody reads', async () => {
  const tar = makeTar([{ name: 'a', content: 'x'.repeat(5000) }, { name: 'b' }]);
  const names: string[] = [];
  for await (const { name } of readTar(inChunks(tar, 700), 'the layer')) names.push(name);
  assert.deepEqual(names, ['a', 'b']);
});

test('takes extended headers: long names, large ids, fractions of seconds, binary attributes', async () => {
  const path = `${'d/'.repeat(100)}\xff\xfe`;
  const value = Buffer.from([0, 255, 10, 61, 128]);
  const [entry] = await readEntries({
    name: 'short',
    pax: {
      path: Buffer.from(path, 'latin1'),
      uid: '3000000000',
      mtime: '-1.25',
      'SCHILY.xattr.user.z': 'last',
      'SCHILY.xattr.security.capability': value,
    },
  });
  assert.equal(entry?.name, path);
  assert.equal(entry?.uid, 3_000_000_000);
  assert.deepEqual([entry?.mtimeSeconds, entry?.mtimeNanoseconds], [-2, 750_000_000]);
  assert.deepEqual(entry?.xattrs, [
    { name: 'security.capability', value },
    { name: 'user.z', value: Buffer.from('last') },
  ]);
});

test('takes GNU long names, and numbers in base 256', async () => {
  const long = 'n'.repeat(200);
  const tar = makeTar([
    { name: '././@LongLink', type: 'L', content: `${long}\0` },
    { name: 'cut', content: 'abc' },
  ]);
  // Size 3 in base 256 in the header of the entry itself; the checksum is corrected by the same amount.
  const header = tar.subarray(1024, 1536);
  const before = header.subarray(124, 136).reduce((sum, byte) => sum + byte, 0);
  header.fill(0, 124, 136);
  header[124] = 0x80;
  header[135] = 3;
  const sum = Number.parseInt(header.toString('latin1', 148, 154), 8) - before + 0x83;
  header.write(sum.toString(8).padStart(6, '0'), 148, 'latin1');
  const [entry] = await readAll(tar);
  assert.deepEqual([entry?.name, entry?.text], [long, 'abc']);
});

test('reads what GNU tar writes without an end mark', async () => {
  const tar = makeTar([{ name: 'a', content: 'x' }]);
  assert.equal((await readAll(tar.subarray(0, -1024))).length, 1);
});

const invalid: [string, Buffer, RegExp][] = [
  ['garbage', Buffer.alloc(1024, 'x'), /is not a tar archive/],
  ['cut content', makeTar([{ name: 'a', content: 'x', size: 99999 }]), /ends in the middle/],
  ['cut header', makeTar([{ name: 'a' }]).subarray(0, 300), /ends in the middle/],
  ['negative size', makeTar([{ name: 'a', pax: { size: '-1' } }]), /invalid record size/],
  ['huge size', makeTar([{ name: 'a', pax: { size: '99999999999999999999' } }]), /record size/],
  ['NUL in a name', makeTar([{ name: 'a', pax: { path: 'x\0y' } }]), /invalid record path/],
  ['no user at all', makeTar([{ name: 'a', pax: { uid: '4294967295' } }]), /uid 4294967295/],
  ['bad record', makeTar([{ name: 'p', type: 'x', content: '99 a=b\n' }]), /malformed extended/],
  ['huge header', makeTar([{ name: 'p', type: 'x', size: 2 ** 30 }]), /header of 1073741824/],
  [
    'endless headers',
    makeTar(Array.from({ length: 20 }, () => ({ name: 'g', type: 'g' }))),
    /too many extended headers/,
  ],
];

for (const [what, data, message] of invalid) {
  test(`refuses ${what}`, async () => {
    await assert.rejects(readAll(data), { code: 'IMAGE_INVALID', message });
  });
}

test('says that sparse and multi-volume entries are not read', async () => {
  const expected = { code: 'IMAGE_UNSUPPORTED', message: /"a"/ };
  await assert.rejects(readEntries({ name: 'a', pax: { 'GNU.sparse.major': '1' } }), expected);
  await assert.rejects(readEntries({ name: 'a', type: 'S' }), expected);
  await assert.rejects(readEntries({ name: 'a', type: 'M' }), expected);
});
