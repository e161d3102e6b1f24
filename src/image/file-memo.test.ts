import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { FileMemo } from './file-memo.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'wardian-memo-'));
after(() => rmSync(directory, { recursive: true }));

/** A memo of texts, which counts how often it reads. */
function createReader(most: number) {
  const memo = new FileMemo<string>(most);
  const counter = { reads: 0 };
  const read = (name: string): Promise<string> => {
    const file = path.join(directory, name);
    return memo.get(file, async () => {
      counter.reads += 1;
      return readFileSync(file, 'utf8');
    });
  };
  return { read, counter };
}

function replace(name: string, text: string): void {
  writeFileSync(path.join(directory, 'new'), text);
  renameSync(path.join(directory, 'new'), path.join(directory, name));
}

test('a file is read once, and again when another takes its place', async () => {
  const { read, counter } = createReader(4);
  replace('a', 'one');
  assert.deepEqual([await read('a'), await read('a'), counter.reads], ['one', 'one', 1]);
  replace('a', 'two');
  assert.deepEqual([await read('a'), counter.reads], ['two', 2]);
  writeFileSync(path.join(directory, 'a'), 'three');
  assert.deepEqual([await read('a'), counter.reads], ['three', 3]);
});

test('a failure is not remembered, nor is what was there before', async () => {
  const { read } = createReader(4);
  replace('gone', 'text');
  await read('gone');
  rmSync(path.join(directory, 'gone'));
  await assert.rejects(read('gone'), { code: 'ENOENT' });
  replace('gone', 'back');
  assert.equal(await read('gone'), 'back');
});

test('the file that was longest unused makes room', async () => {
  const { read, counter } = createReader(2);
  for (const name of ['a', 'b', 'c']) replace(name, name);
  for (const name of ['a', 'b', 'a', 'c']) await read(name);
  assert.equal(counter.reads, 3);
  await read('a');
  assert.equal(counter.reads, 3);
  await read('b');
  assert.equal(counter.reads, 4);
});
