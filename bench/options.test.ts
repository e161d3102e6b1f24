import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatHelp, parseOptions } from './options.ts';

const NAMES = ['clone', 'run'];

test('nothing means everything, fifteen times', () => {
  assert.deepEqual(parseOptions([], NAMES), {
    names: [],
    runs: 15,
    counts: [1, 10, 50, 200],
    jsonPath: undefined,
    chartPath: undefined,
    fromPath: undefined,
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

test('numbers of containers grow, within reason', () => {
  assert.deepEqual(parseOptions(['--counts', '1,10'], NAMES).counts, [1, 10]);
  for (const wrong of ['10,1', '0', '1,1', '1,,2', 'many', '1.5', '5000']) {
    assert.throws(() => parseOptions(['--counts', wrong], NAMES), /growing numbers from 1 to 2000/);
  }
});

test('what was measured before is read to be drawn, and for nothing else', () => {
  const options = parseOptions(['--from', 'a.json', '--chart', 'a.svg'], NAMES);
  assert.deepEqual([options.fromPath, options.chartPath], ['a.json', 'a.svg']);
  assert.throws(() => parseOptions(['--from', 'a.json'], NAMES), /needs --chart/);
});

test('the help names every row and report', () => {
  assert.match(formatHelp({ rows: NAMES, reports: ['density'] }), /clone, run;\n.*density$/m);
});
