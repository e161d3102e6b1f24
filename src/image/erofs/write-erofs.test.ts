import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { extractErofs, readFolder, skipWithout } from '../../../test/support/erofs-tools.ts';
import { DEFAULT_LIMITS } from '../limits.ts';
import { FileTree, type TreeEntry } from '../tree/file-tree.ts';
import { newEntry } from '../tree/new-entry.ts';
import { writeErofs } from './write-erofs.ts';

const folder = await mkdtemp(path.join(os.tmpdir(), 'wardian-erofs-'));
after(() => rm(folder, { recursive: true }));
const skip = skipWithout('fsck.erofs', 'erofs-utils');

type Short = Partial<TreeEntry> & { name: string; text?: string };

/** Writes a tree with these entries; gives the image's path. */
async function write(name: string, entries: readonly Short[]): Promise<string> {
  const tree = new FileTree(DEFAULT_LIMITS);
  tree.beginLayer('layer 1');
  const contents: Buffer[] = [];
  let offset = 0;
  for (const { text = '', ...entry } of entries) {
    const content = Buffer.from(text, 'latin1');
    contents.push(content);
    tree.add(
      { ...newEntry(entry.name, 'file', 0o644), ...entry },
      { offset, sizeBytes: content.length },
    );
    offset += content.length;
  }
  const spool = Buffer.concat(contents);
  const imagePath = path.join(folder, name);
  const output = await open(imagePath, 'w');
  const readContent = (start: number, length: number) => spool.subarray(start, start + length);
  const { sizeBytes } = await writeErofs({ output, root: tree.root, readContent });
  await output.close();
  assert.equal((await readFile(imagePath)).length, sizeBytes);
  return imagePath;
}

function dump(imagePath: string, ...argv: string[]): string {
  return execFileSync('dump.erofs', [...argv, imagePath], { encoding: 'utf8' });
}

/** The mode as it stands in the inode: the tools of the format show only its last nine bits. */
async function readMode(imagePath: string, name: string): Promise<number> {
  const nid = Number(/NID: (\d+)/.exec(dump(imagePath, `--path=${name}`))?.[1]);
  return (await readFile(imagePath)).readUInt16LE(nid * 32 + 4);
}

test('files of every awkward size come out as they went in', { skip }, async () => {
  const sizes = [0, 1, 63, 64, 2047, 2048, 2049, 4032, 4095, 4096, 4097, 6144, 6145, 8192, 3e6];
  // Extended attributes and times of their own shift the inodes against the blocks.
  const entries = sizes.flatMap((size, index) => [
    { name: `plain-${size}`, text: String.fromCharCode(65 + index).repeat(size) },
    { name: `own-${size}`, text: 'o'.repeat(size), mtimeSeconds: index, uid: 100_000 + index },
    {
      name: `attribute-${size}`,
      text: 'a'.repeat(size),
      xattrs: [{ name: 'user.a', value: Buffer.alloc(index * 300, 1) }],
    },
  ]);
  const imagePath = await write('sizes.erofs', entries);
  await extractErofs(imagePath, path.join(folder, 'sizes'));
  const seen = await readFolder(path.join(folder, 'sizes'));
  assert.equal(seen.size, entries.length);
  for (const { name, text } of entries) assert.equal(seen.get(name)?.content, text, name);
});

test('large folders, long names and names of any bytes can be read', { skip }, async () => {
  const names = Array.from(
    { length: 5000 },
    (_, index) => `many/${index}-${'x'.repeat(index % 200)}`,
  );
  const odd = ['!', '-', '.hidden', '...', '\x01', '\xff\xfe', 'n'.repeat(255), ' ', 'a\nb'];
  const imagePath = await write(
    'names.erofs',
    [...names, ...odd].map((name) => ({ name, text: 'x' })),
  );
  await extractErofs(imagePath, path.join(folder, 'names'));
  const seen = await readFolder(path.join(folder, 'names'));
  assert.equal(seen.size, names.length + odd.length + 1);
  for (const name of names) assert.ok(seen.has(name), name);
});

test('deep folders and long links work', { skip }, async () => {
  const deep = `${'d/'.repeat(500)}end`;
  const target = 't'.repeat(3000);
  const imagePath = await write('deep.erofs', [
    { name: deep, text: 'x' },
    { name: 'l', kind: 'symlink', linkName: target },
    { name: 's', kind: 'symlink', linkName: '/short' },
  ]);
  await extractErofs(imagePath, path.join(folder, 'deep'));
  const seen = await readFolder(path.join(folder, 'deep'));
  assert.equal(seen.get(deep)?.content, 'x');
  assert.equal(seen.get('l')?.content, target);
  assert.equal(seen.get('s')?.content, '/short');
});

test('hard links are one inode with its count', { skip }, async () => {
  const imagePath = await write('links.erofs', [
    { name: 'a', text: 'same' },
    { name: 'd/b', kind: 'hard-link', linkName: 'a' },
    { name: 'c', kind: 'hard-link', linkName: 'd/b' },
  ]);
  const details = dump(imagePath, '--path=/d/b');
  assert.match(details, /Links: 3/);
  const nid = (text: string) => /NID: (\d+)/.exec(text)?.[1];
  assert.equal(nid(details), nid(dump(imagePath, '--path=/a')));
  assert.match(dump(imagePath, '--path=/d'), /Links: 2/);
  assert.match(dump(imagePath, '--path=/'), /Links: 3/);
});

test('owners, modes and times are kept in both kinds of inodes', { skip }, async () => {
  const imagePath = await write('attributes.erofs', [
    { name: 'small', mode: 0o4755, uid: 65535, gid: 7 },
    { name: 'large', mode: 0o2711, uid: 65536, gid: 3_000_000_000 },
    { name: 'early', mtimeSeconds: -1, mtimeNanoseconds: 500_000_000 },
    { name: 'late', mtimeSeconds: 2 ** 33, mtimeNanoseconds: 123_456_789 },
  ]);
  assert.match(dump(imagePath, '--path=/small'), /Inode size: 32[\s\S]*Uid: 65535 +Gid: 7 /);
  assert.match(
    dump(imagePath, '--path=/large'),
    /Inode size: 64[\s\S]*Uid: 65536 +Gid: 3000000000 /,
  );
  assert.equal(await readMode(imagePath, '/small'), 0o104755);
  assert.equal(await readMode(imagePath, '/large'), 0o102711);
  assert.match(dump(imagePath, '--path=/early'), /1969-12-31 23:59:59\.500000000/);
  assert.match(dump(imagePath, '--path=/late'), /2242-03-16 12:56:32\.123456789/);
});

test('the superblock has the right checksum', { skip }, async () => {
  const imagePath = await write('sum.erofs', [{ name: 'a', text: 'x' }]);
  const check = () => spawnSync('fsck.erofs', [imagePath], { encoding: 'utf8' }).stderr;
  assert.match(dump(imagePath, '-s'), /sb_csum/);
  assert.equal(check(), '');
  const handle = await open(imagePath, 'r+');
  await handle.write(Buffer.from([1]), 0, 1, 1024 + 24);
  await handle.close();
  assert.match(check(), /failed to verify superblock checksum/);
});

test('the order in which names came does not matter', async () => {
  const entries = ['b', 'a/z', 'a/b', 'c'].map((name) => ({
    name,
    text: 'x'.repeat(name.length * 999),
  }));
  const one = await readFile(await write('one.erofs', entries));
  const other = await readFile(await write('other.erofs', [...entries].reverse()));
  assert.ok(one.equals(other));
});

test('an empty tree is an image too', { skip }, async () => {
  await extractErofs(await write('empty.erofs', []), path.join(folder, 'empty'));
  assert.equal((await readFolder(path.join(folder, 'empty'))).size, 0);
});

test('refuses attributes that Linux could not store', async () => {
  const large = { name: 'user.a', value: Buffer.alloc(70_000) };
  await assert.rejects(write('x', [{ name: 'a', xattrs: [large] }]), { code: 'IMAGE_UNSUPPORTED' });
});
