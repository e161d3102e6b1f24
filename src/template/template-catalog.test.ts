import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { TemplateCatalog } from './template-catalog.ts';

test('prune removes what is damaged and what was left half-made, and nothing that is not ours', async (t) => {
  const cacheDirectory = mkdtempSync(path.join(tmpdir(), 'wardian-catalog-'));
  t.after(() => rmSync(cacheDirectory, { recursive: true, force: true }));
  const catalog = new TemplateCatalog({ cacheDirectory, generations: [] });
  const [damaged, halfMade] = ['a'.repeat(32), 'b'.repeat(32)];
  mkdirSync(catalog.getPath(damaged), { recursive: true });
  mkdirSync(catalog.getUnfinishedPath(halfMade));
  mkdirSync(path.join(catalog.folder, 'notes'));
  assert.deepEqual(await catalog.prune({ all: false }), [damaged]);
  assert.deepEqual(readdirSync(catalog.folder), ['notes']);
});
