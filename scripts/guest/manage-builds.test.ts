import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { kernelRecipe } from '../../guest/kernel/build-kernel.ts';
import { contentKey, writeResult } from './build-results.ts';
import { buildsDirectory, listBuildRecords, pruneBuilds } from './manage-builds.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const RECIPE = kernelRecipe(ROOT, 'tcg');
let cache = '';

beforeEach(() => {
  cache = mkdtempSync('/tmp/wardian-builds-');
});
afterEach(() => rmSync(cache, { recursive: true }));

test('without builds the list is empty, and there is nothing to prune', async () => {
  assert.deepEqual(listBuildRecords(ROOT, cache), []);
  assert.deepEqual(await pruneBuilds(ROOT, cache), []);
});

test('current, outdated and unfinished builds are told apart; prune leaves the current one', async () => {
  const current = placeResult('6.1.2-1', RECIPE.ingredients);
  const old = placeResult('6.1.1-1', ['other options']);
  const tree = path.join(buildsDirectory(cache), '.tree-kernel-tcg-00000000000000ff');
  mkdirSync(path.join(tree, 'source'), { recursive: true });
  writeFileSync(path.join(tree, 'source/object.o'), 'x'.repeat(10_000));
  const records = listBuildRecords(ROOT, cache);
  assert.deepEqual(
    new Map(records.map(({ key, state }) => [key, state])),
    new Map([
      ['00000000000000ff', 'unfinished'],
      [keyOf(current), 'current'],
      [keyOf(old), 'outdated'],
    ]),
  );
  const removed = await pruneBuilds(ROOT, cache);
  assert.deepEqual(removed.map(({ state }) => state).sort(), ['outdated', 'unfinished']);
  assert.deepEqual(
    [current, old, tree].map((folder) => existsSync(folder)),
    [true, false, false],
  );
});

test('with all the current one goes, too', async () => {
  const current = placeResult('6.1.2-1', RECIPE.ingredients);
  const removed = await pruneBuilds(ROOT, cache, { all: true });
  assert.deepEqual(
    removed.map(({ state }) => state),
    ['current'],
  );
  assert.equal(existsSync(current), false);
});

test('a result of an older source is outdated once there is one of a newer', () => {
  const old = placeResult('6.1.1-1', RECIPE.ingredients);
  placeResult('6.1.2-1', RECIPE.ingredients);
  const states = listBuildRecords(ROOT, cache).map(({ key, state }) => [key === keyOf(old), state]);
  assert.deepEqual(
    new Map(states as [boolean, string][]),
    new Map([
      [true, 'outdated'],
      [false, 'current'],
    ]),
  );
});

function placeResult(version: string, ingredients: readonly string[]): string {
  const recipe = { ...RECIPE, ingredients };
  const key = contentKey(recipe, version);
  const directory = path.join(buildsDirectory(cache), `kernel-tcg-${key}`);
  mkdirSync(directory, { recursive: true });
  writeFileSync(path.join(directory, 'vmlinux'), version);
  const built = { files: { kernel: 'vmlinux' } };
  const until = Date.now() + 2; // results are told apart by their dates
  while (Date.now() < until);
  writeResult({ recipe, built, version, directory });
  return directory;
}

function keyOf(folder: string): string {
  return folder.slice(-16);
}
