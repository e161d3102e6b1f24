import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { CommandFailed } from '../support/run.ts';
import { findBuild, listBuilds, recipeHash } from './build-results.ts';
import { buildRecipe } from './build-support.ts';
import type { BuildTree, Recipe } from './recipe.ts';

describe('buildRecipe', () => {
  let directory = '';
  let recipe: Recipe;
  let built: string[] = [];

  beforeEach(() => {
    directory = mkdtempSync('/tmp/wardian-build-');
    built = [];
    placeSource(directory);
    mkdirSync(path.join(directory, 'patches'));
    recipe = {
      name: 'thing',
      source: {
        package: 'thing-source',
        kind: 'archive',
        archive: 'usr/src/thing.tar',
        exclude: ['unread'],
      },
      patches: path.join(directory, 'patches'),
      ingredients: ['one'],
      diskBytes: 1,
      build: async (tree) => {
        built.push(readFileSync(path.join(tree.source, 'text'), 'utf8'));
        await tree.run(['cp', path.join(tree.source, 'text'), path.join(tree.output, 'product')]);
        return { files: { product: 'product' }, facts: { color: 'red' } };
      },
    };
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const build = (changed: Partial<Recipe> = {}) =>
    buildRecipe(
      { ...recipe, ...changed },
      { buildDirectory: directory, jobs: 1, report: () => {} },
    );
  const readProduct = async (changed: Partial<Recipe> = {}) =>
    readFileSync((await build(changed)).files['product'] ?? '', 'utf8');

  it('makes a result that everybody can read, removes the tree, and builds nothing twice', async () => {
    const result = await build();
    assert.equal(readFileSync(result.files['product'] ?? '', 'utf8'), 'first\nsecond\n');
    assert.equal(result.source, 'thing-source 1.5-2');
    assert.deepEqual(result.facts, { color: 'red' });
    assert.match(result.sha256['product'] ?? '', /^[0-9a-f]{64}$/);
    const folder = path.dirname(result.files['product'] ?? '');
    for (const place of [folder, path.join(folder, 'result.json')]) {
      assert.equal(statSync(place).mode & 0o044, 0o044, place);
    }
    assert.deepEqual(
      readdirSync(directory).filter((name) => name.startsWith('.tree')),
      [],
    );
    assert.deepEqual(await build(), result);
    assert.equal(built.length, 1);
  });

  it('applies patches in the order of their names, and builds anew when one changes', async () => {
    writePatch('2-last', 'second', 'third');
    writePatch('1-first', 'first', 'second');
    // Applied the other way round, the second patch would not find its line.
    assert.equal(await readProduct(), 'second\nthird\n');
    writePatch('2-last', 'second', 'fourth');
    assert.equal(await readProduct(), 'second\nfourth\n');
    assert.equal(listBuilds(directory).length, 2);
  });

  it('refuses a patch that does not fit, and says where the whole story is', async () => {
    writePatch('1-wrong', 'no such line', 'anything');
    await assert.rejects(build(), (error) => {
      assert.ok(error instanceof CommandFailed);
      const log = /in (\S+build\.log)/.exec(error.hint ?? '')?.[1] ?? '';
      return readFileSync(log, 'utf8').includes('FAILED');
    });
    rmSync(path.join(directory, 'patches/1-wrong.patch'));
    assert.equal(await readProduct(), 'first\nsecond\n');
  });

  it('goes on in the same tree after a failure', async () => {
    const halfway = async (tree: BuildTree) => {
      writeFileSync(path.join(tree.source, 'object'), 'compiled');
      writeFileSync(path.join(tree.output, 'half'), '');
      throw new Error('killed');
    };
    await assert.rejects(build({ build: halfway }), /killed/);
    assert.equal(findBuild(directory, recipe), undefined);
    const resumed = async (tree: BuildTree) => {
      assert.equal(readFileSync(path.join(tree.source, 'object'), 'utf8'), 'compiled');
      assert.equal(existsSync(path.join(tree.output, 'half')), false);
      return recipe.build(tree);
    };
    assert.equal(await readProduct({ build: resumed }), 'first\nsecond\n');
  });

  it('lets a second build of the same thing wait and find the first one’s result', async () => {
    const slow = async (tree: BuildTree) => {
      await delay(100);
      return recipe.build(tree);
    };
    const [one, other] = await Promise.all([build({ build: slow }), build({ build: slow })]);
    assert.deepEqual(one, other);
    assert.equal(built.length, 1);
  });

  it('does not begin what cannot fit', async () => {
    await assert.rejects(build({ diskBytes: 2 ** 60 }), {
      code: 'HOST_NO_SPACE',
      message: /needs 1073741824\.0 GiB/,
    });
  });

  it('takes no result whose files have gone', async () => {
    const { files } = await build();
    rmSync(files['product'] ?? '');
    assert.equal(findBuild(directory, recipe), undefined);
    assert.equal(await readProduct(), 'first\nsecond\n');
  });

  it('keeps what the user’s shell has away from compilers', async () => {
    process.env['CFLAGS'] = '-O0';
    try {
      const print = async (tree: BuildTree) => {
        await tree.run(['sh', '-c', `echo "<$CFLAGS> $LC_ALL $OWN" > ${tree.output}/product`], {
          environment: { OWN: 'own' },
        });
        return { files: { product: 'product' } };
      };
      assert.equal(await readProduct({ build: print }), '<> C own\n');
    } finally {
      delete process.env['CFLAGS'];
    }
  });

  it('knows a recipe by its ingredients and patches', () => {
    assert.notEqual(recipeHash(recipe), recipeHash({ ...recipe, ingredients: ['two'] }));
    assert.notEqual(recipeHash(recipe), recipeHash({ ...recipe, name: 'other' }));
  });

  function writePatch(name: string, from: string, to: string): void {
    const body = `--- a/text\n+++ b/text\n@@ -1,2 +1,2 @@\n`;
    const lines = from === 'first' ? '-first\n+second\n-second\n+second\n' : '';
    const last = ` second\n-${from}\n+${to}\n`;
    const text = from === 'no such line' ? `-${from}\n+${to}\n second\n` : lines || last;
    writeFileSync(path.join(directory, `patches/${name}.patch`), `${body}${text}`);
  }
});

/** Puts a package where a fetched one would lie. */
function placeSource(directory: string): void {
  const target = path.join(directory, '.sources/thing-source');
  const root = path.join(directory, 'package');
  mkdirSync(path.join(root, 'usr/src'), { recursive: true });
  mkdirSync(path.join(root, 'DEBIAN'));
  mkdirSync(target, { recursive: true });
  const source = path.join(directory, 'thing-1.5');
  mkdirSync(path.join(source, 'unread'), { recursive: true });
  writeFileSync(path.join(source, 'text'), 'first\nsecond\n');
  writeFileSync(
    path.join(root, 'DEBIAN/control'),
    'Package: thing-source\nVersion: 1.5-2\nArchitecture: all\nMaintainer: nobody\nDescription: thing\n',
  );
  execFileSync('tar', ['-C', directory, '-cf', path.join(root, 'usr/src/thing.tar'), 'thing-1.5']);
  execFileSync('dpkg-deb', ['--build', root, path.join(target, 'thing.deb')], { stdio: 'ignore' });
  const facts = { version: '1.5-2', dateSeconds: 0, file: 'thing.deb' };
  writeFileSync(path.join(target, 'source.json'), JSON.stringify(facts));
  for (const used of [root, source]) rmSync(used, { recursive: true });
}
