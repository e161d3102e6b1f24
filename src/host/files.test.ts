import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { WardianError } from '../util/errors.ts';
import { readJsonFile, writeFileAtomic } from './files.ts';

const folder = await mkdtemp(path.join(os.tmpdir(), 'wardian-files-'));
after(() => rm(folder, { recursive: true }));

test('writes a file with an exact mode and leaves nothing beside it', async () => {
  const filePath = path.join(folder, 'state.json');
  await writeFileAtomic(filePath, 'old');
  await writeFileAtomic(filePath, 'new', { mode: 0o666 });
  assert.equal(await readFile(filePath, 'utf8'), 'new');
  assert.equal((await stat(filePath)).mode & 0o777, 0o666);
  assert.deepEqual(await readdir(folder), ['state.json']);
});

test('keeps the old file and no temporary one when writing fails', async () => {
  await assert.rejects(writeFileAtomic(folder, 'x'));
  const siblings = await readdir(path.dirname(folder));
  assert.deepEqual(
    siblings.filter((name) => name.startsWith(`.${path.basename(folder)}`)),
    [],
  );
});

test('reads JSON, and refuses what is damaged, too large or no file', async () => {
  const filePath = path.join(folder, 'value.json');
  await writeFile(filePath, '{"a":1}');
  assert.deepEqual(await readJsonFile(filePath, 100), { a: 1 });
  const isCorrupt = (error: unknown) =>
    error instanceof WardianError && error.code === 'STATE_CORRUPT' && error.hint !== undefined;
  await assert.rejects(readJsonFile(filePath, 3), isCorrupt);
  await writeFile(filePath, '{"a":');
  await assert.rejects(readJsonFile(filePath, 100), isCorrupt);
  await assert.rejects(readJsonFile('/dev/null', 100), isCorrupt);
  await assert.rejects(readJsonFile(path.join(folder, 'none'), 100), { code: 'ENOENT' });
});
