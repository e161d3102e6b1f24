import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LIMITS } from '../limits.ts';
import { FileTree, type TreeEntry } from './file-tree.ts';
import type { Directory } from './inode.ts';
import { newEntry } from './new-entry.ts';

type Short = Partial<TreeEntry> & { name: string };

function build(...layers: (string | Short)[][]): FileTree {
  const tree = new FileTree(DEFAULT_LIMITS);
  for (const [index, entries] of layers.entries()) {
    tree.beginLayer(`layer ${index + 1}`);
    for (const entry of entries)
      tree.add(expand(typeof entry === 'string' ? { name: entry } : entry));
  }
  return tree;
}

function expand(entry: Short): TreeEntry {
  const kind = entry.name.endsWith('/') ? 'directory' : 'file';
  return { ...newEntry(entry.name, kind, 0o644), ...entry };
}

const symlink = (name: string, linkName: string): Short => ({ name, linkName, kind: 'symlink' });
const hardLink = (name: string, linkName: string): Short => ({ name, linkName, kind: 'hard-link' });

/** Paths of everything in the tree, folders with a slash. */
function list(tree: FileTree): string[] {
  const walk = (directory: Directory, prefix: string): string[] =>
    [...directory.children].flatMap(([name, { inode }]) =>
      inode.kind === 'directory'
        ? [`${prefix}${name}/`, ...walk(inode, `${prefix}${name}/`)]
        : [`${prefix}${name}`],
    );
  return walk(tree.root, '').sort();
}

test('makes parents, merges folders, and lets the later entry win', () => {
  const tree = build(['./a/b/c', '/a/d'], ['a/', { name: 'a/d', mode: 0o600 }, 'a/b']);
  assert.deepEqual(list(tree), ['a/', 'a/b', 'a/d']);
  assert.equal(tree.find('/a/d')?.attributes.mode, 0o600);
});

test('whiteouts hide lower layers only', () => {
  const lower = ['keep', 'gone', 'dir/x', 'dir/y'];
  assert.deepEqual(list(build(lower, ['.wh.gone', '.wh.none'])), [
    'dir/',
    'dir/x',
    'dir/y',
    'keep',
  ]);
  assert.deepEqual(list(build(['f'], ['f', '.wh.f'])), ['f']);
  assert.deepEqual(list(build(['f', 'd/f'], ['.wh.d', 'd/.wh.f', 'f/.wh.g'])), ['f']);
  const remade = build(lower, ['dir/', 'dir/new', '.wh.dir', '.wh.keep', '.wh.gone']);
  assert.deepEqual(list(remade), ['dir/', 'dir/new']);
});

test('an opaque folder hides what lower layers have in it, wherever the marker stands', () => {
  const lower = ['d/x', 'd/sub/y', 'd/sub/z', 'e'];
  const expected = ['d/', 'd/new', 'd/sub/', 'd/sub/own', 'e'];
  assert.deepEqual(list(build(lower, ['d/.wh..wh..opq', 'd/new', 'd/sub/own'])), expected);
  assert.deepEqual(list(build(lower, ['d/sub/own', 'd/new', 'd/.wh..wh..opq'])), expected);
  assert.deepEqual(list(build(lower, ['.wh..wh.plnk'])), list(build(lower)));
});

test('renaming by hard link and whiteout leaves one name', () => {
  const tree = build(['old'], [hardLink('new', 'old'), '.wh.old']);
  assert.deepEqual(list(tree), ['new']);
});

test('hard links share an inode, and outlive the replacement of the other name', () => {
  const tree = build([{ name: 'a', mode: 0o600 }, hardLink('b', '/a'), hardLink('b', 'b')]);
  assert.equal(tree.find('a'), tree.find('b'));
  tree.add(expand({ name: 'a', mode: 0o755 }));
  assert.equal(tree.find('b')?.attributes.mode, 0o600);
});

test('follows symbolic links to folders, never out of the image', () => {
  const tree = build(
    ['usr/lib/', symlink('lib', 'usr/lib'), symlink('up', '../../../usr'), symlink('abs', '/usr')],
    ['lib/x', 'up/y', 'abs/z', symlink('new', 'made/here'), 'new/w'],
  );
  for (const path of ['usr/lib/x', 'usr/y', 'usr/z', 'made/here/w']) {
    assert.equal(tree.find(path)?.kind, 'file', path);
  }
  assert.equal(tree.find('/lib/../lib/../../x'), undefined);
});

test('a folder that replaces a symbolic link is a folder of its own', () => {
  const tree = build(['usr/x', symlink('l', 'usr')], ['l/', 'l/y']);
  assert.equal(tree.find('usr/y'), undefined);
  assert.equal(tree.find('l/y')?.kind, 'file');
});

test('drops the notes of an overlay mount', () => {
  const value = Buffer.from('y');
  const xattrs = ['trusted.overlay.opaque', 'user.a'].map((name) => ({ name, value }));
  assert.deepEqual(build([{ name: 'a', xattrs }]).find('a')?.attributes.xattrs, [
    { name: 'user.a', value },
  ]);
});

const hostile: [string, (string | Short)[], RegExp][] = [
  ['.. in a path', ['a/../../etc/passwd'], /"a\/\.\.\/\.\.\/etc\/passwd" leads out/],
  ['.. in a hard link', ['a', hardLink('b', '../../etc/shadow')], /leads out/],
  ['a hard link to nothing', [hardLink('b', 'etc/shadow')], /which is not in the image/],
  ['a hard link to a folder', ['d/', hardLink('b', 'd')], /a directory/],
  ['a hard link to the root', [hardLink('b', '/')], /a directory/],
  ['a long name', ['n'.repeat(256)], /name of more than 255 bytes/],
  ['a long path', ['p/'.repeat(3000)], /more than 4096 bytes/],
  ['a deep path', ['p/'.repeat(1500)], /deeper than 1024 folders/],
  ['a loop of links', [symlink('a', 'b'), symlink('b', 'a'), 'a/x'], /too many symbolic links/],
  ['a file as a parent', ['a', 'a/b'], /parent of "a\/b" is not a directory/],
  ['a file as the root', [{ name: './', kind: 'file' }], /root of the image/],
  ['a whiteout of the parent', ['.wh...'], /names no file/],
  ['a link to nowhere', [symlink('a', '')], /target of 0 bytes/],
];

for (const [what, entries, message] of hostile) {
  test(`refuses ${what}`, () => {
    assert.throws(() => build(entries), { code: 'IMAGE_INVALID', message });
  });
}

test('folders cannot be nested without end through links', () => {
  const tree = build(['d/'.repeat(1000), symlink('l', 'd/'.repeat(1000))]);
  assert.throws(() => tree.add(expand({ name: `l/${'e/'.repeat(100)}` })), /deeper than 1024/);
});
