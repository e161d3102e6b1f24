import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { removeFile, removeTree } from './remove-tree.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'wardian-tree-'));
after(() => rmSync(folder, { recursive: true }));

test('a tree goes, what its links lead to stays', async () => {
  const tree = path.join(folder, 'tree');
  const kept = path.join(folder, 'kept');
  mkdirSync(path.join(tree, 'deep/er'), { recursive: true });
  mkdirSync(kept);
  writeFileSync(path.join(tree, 'deep/file'), '');
  writeFileSync(path.join(kept, 'file'), '');
  symlinkSync(kept, path.join(tree, 'deep/link'));
  symlinkSync('/nonexistent', path.join(tree, 'dangling'));
  await removeTree(tree);
  assert.ok(!existsSync(tree) && existsSync(path.join(kept, 'file')));
});

test('a large one goes, too, without holding everything up', async () => {
  const tree = path.join(folder, 'large');
  mkdirSync(path.join(tree, 'share'), { recursive: true });
  for (let index = 0; index < 300; index++) writeFileSync(path.join(tree, 'share', `${index}`), '');
  const removed = removeTree(tree);
  assert.ok(existsSync(tree), 'part of it is left to the asynchronous way');
  await removed;
  assert.ok(!existsSync(tree));
});

test('what is not there is removed already; what is something else is told', async () => {
  await removeTree(path.join(folder, 'nothing'));
  removeFile(path.join(folder, 'nothing'));
  writeFileSync(path.join(folder, 'plain'), '');
  await assert.rejects(removeTree(path.join(folder, 'plain')), { code: 'ENOTDIR' });
  assert.throws(() => removeFile(folder));
});
