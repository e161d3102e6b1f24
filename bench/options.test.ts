import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatHelp, parseOptions } from './options.ts';

const NAMES = ['clone', 'run'];

test('nothing means everything, fifteen times', () => {
  assert.deepEqual(parseOptions([], NAMES), {
    names: [],
    runs: 15,
    jsonPath: undefined,
    installPeers: false,
    help: false,
  });
});

test('rows, runs and a file can be chosen', () => {
  const options = parseOptions(['run', '--runs', '3', '--json', 'out.json', 'clone'], NAMES);
  assert.deepEqual(options.names, ['run', 'clone']);
  assert.equal(options.runs, 3);
  assert.equal(options.jsonPath, 'out.json');
});

test('what is not understood is refused with what there is', () => {
  assert.throws(
    () => parseOptions(['clnoe'], NAMES),
    /no row is named clnoe; there are: clone, run/,
  );
  assert.throws(() => parseOptions(['--runs', '0'], NAMES), /from 1 to 1000, not "0"/);
  assert.throws(() => parseOptions(['--runs', 'many'], NAMES), /not "many"/);
  assert.throws(() => parseOptions(['--fast'], NAMES), /--fast/);
});

test('the help names every row', () => {
  assert.match(formatHelp(NAMES), /clone, run/);
});
