import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TraceMark } from '../../util/trace.ts';
import { describePhases, renderPhases } from './trace-table.ts';

/** As two processes tell them: not in order. */
const MARKS: TraceMark[] = [
  { place: 'command', phase: 'Node started', atMs: 1020 },
  { place: 'command', phase: 'done', atMs: 1100 },
  { place: 'sandboxer', phase: 'image found', atMs: 1030 },
  { place: 'guest', phase: 'process started', atMs: 1090 },
];

test('phases of all processes stand in order and fill the whole time', () => {
  const phases = describePhases(1000, MARKS);
  assert.deepEqual(
    phases.map(({ phase, startMs, durationMs }) => [phase, startMs, durationMs]),
    [
      ['Node started', 0, 20],
      ['image found', 20, 10],
      ['process started', 30, 60],
      ['done', 90, 10],
    ],
  );
});

test('the table has a bar for each phase where it lies, and the share of each place', () => {
  const text = renderPhases(describePhases(1000, MARKS), { columns: undefined, isUtf8: true });
  assert.equal(
    text,
    `start ms   took ms  where      phase
     0.0      20.0  command    Node started     ████████
    20.0      10.0  sandboxer  image found              ████
    30.0      60.0  guest      process started              ████████████████████████
    90.0      10.0  command    done                                                 ████
             100.0  in all: guest 60.0 (60 %), command 30.0 (30 %), sandboxer 10.0 (10 %)
`,
  );
});

test('a terminal that knows no blocks gets hashes, and a narrow one no bars', () => {
  const phases = describePhases(1000, MARKS);
  const plain = renderPhases(phases, { columns: 60, isUtf8: false });
  assert.match(plain, /^ {4}30\.0 {6}60\.0 {2}guest {6}process started {5}#{7}$/m);
  for (const line of plain.split('\n').filter((text) => text.includes('#')))
    assert.ok(line.length <= 60, line);
  assert.doesNotMatch(renderPhases(phases, { columns: 50, isUtf8: false }), /#/);
});

test('the shortest phase is still to be seen, at the very end too', () => {
  const marks: TraceMark[] = [
    { place: 'guest', phase: 'long', atMs: 1000 },
    { place: 'command', phase: 'short', atMs: 1000.001 },
  ];
  const text = renderPhases(describePhases(0, marks), { columns: 100, isUtf8: true });
  assert.match(text, /short {2} +▏$/m);
});
