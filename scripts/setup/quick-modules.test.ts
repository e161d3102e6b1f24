import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listQuickModules, readQuickModules } from './quick-modules.ts';

const UPDATE = 'if it is worth its time: node --import tsx scripts/setup/quick-modules.ts';
/** Node's own modules are others in each release. */
const isListedNode = process.version.startsWith('v20.');

const FILES_ONLY = /\n\nNode's modules[\s\S]*/;

test('wardian run and wardian --version load the modules in the list, and no other', async () => {
  const [listed, loaded] = [readQuickModules(), await listQuickModules()];
  const cut = (text: string) => (isListedNode ? text : text.replace(FILES_ONLY, ''));
  assert.equal(cut(loaded), cut(listed), UPDATE);
});

test('the list has nothing that is for the sandboxer or for another command', () => {
  const names = readQuickModules().split('\n').slice(3);
  const foreign =
    /node_modules|src\/(agent|hypervisor|image|template|sandbox)\/|child_process|crypto|worker|http|commands\/(?!run|exec|process-flags)/;
  assert.deepEqual(
    names.filter((name) => foreign.test(name)),
    [],
  );
});
