import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Measured, summarize } from './measure.ts';
import { formatParts, formatTable, OURS, type RowResult } from './table.ts';

function measured(name: string, ...values: number[]): Measured {
  const samples = values.map((value) => ({ value, parts: { start: value / 4 } }));
  return { name, samples, summary: summarize(samples) };
}

const ROW: RowResult = {
  name: 'run',
  title: 'run `true`',
  unit: 'ms',
  budget: 100,
  measured: [
    measured(OURS, 90, 100, 80),
    measured('peer', 45, 44, 46),
    { name: 'broken peer', failure: 'exit 1:\n no image' },
  ],
};

test('each contestant has its line, ours the budget, the others the ratio', () => {
  assert.equal(
    formatTable([ROW]),
    [
      '               median   min    max  spread  ours/theirs  budget',
      '',
      'run `true` (ms)',
      '  wardian        90.0  80.0  100.0    10.0               ≤ 100: met',
      '  peer           45.0  44.0   46.0     1.0         2.00',
      '  broken peer  failed: exit 1: no image',
    ].join('\n'),
  );
});

test('a budget that is missed is called missed', () => {
  const row = { ...ROW, budget: 89 };
  assert.match(formatTable([row]), /≤ 89: missed/);
});

test('without a figure of ours there is nothing to compare with', () => {
  const row = { ...ROW, measured: [{ name: OURS, failure: 'no kernel' }, measured('peer', 45)] };
  const text = formatTable([row]);
  assert.match(text, /wardian {2}failed: no kernel/);
  assert.match(text, /peer {5} +45\.0 +45\.0 +45\.0 +0\.0$/);
});

test('parts are shown for our lines only', () => {
  assert.deepEqual(formatParts([ROW]), ['  run (ms): start 22.5']);
});
