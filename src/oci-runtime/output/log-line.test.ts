import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WardianError } from '../../util/errors.ts';
import { describeFailure, formatLogLine } from './log-line.ts';

const ENTRY = { level: 'error', message: 'it "failed"' } as const;
const TIME = new Date('2026-01-02T03:04:05.678Z');

test('a line of the log is what engines parse: level, msg and time', () => {
  const line = formatLogLine(ENTRY, 'json', TIME);
  assert.match(line, /^[^\n]*\n$/);
  assert.deepEqual(JSON.parse(line), {
    level: 'error',
    msg: 'it "failed"',
    time: '2026-01-02T03:04:05Z',
  });
  assert.equal(
    formatLogLine(ENTRY, 'text', TIME),
    'time="2026-01-02T03:04:05Z" level=error msg="it \\"failed\\""\n',
  );
});

test('a failure is one line: what, why and what to do', () => {
  const cause = new Error('read failed', { cause: new Error('no space\nleft') });
  const error = new WardianError('STATE_CORRUPT', 'the state is damaged', {
    cause,
    hint: 'mend it',
  });
  error.cleanupErrors.push('cgroups: busy');
  assert.equal(
    describeFailure(error),
    'the state is damaged: read failed: no space left (mend it); clean-up failed: cgroups: busy',
  );
});

test('what a guest says cannot forge lines, nor fill the log', () => {
  const text = describeFailure(new Error(`x\n{"level":"error"}\u001b[2J${'y'.repeat(100_000)}`));
  assert.equal(text.includes('\n') || text.includes('\u001b'), false);
  assert.ok(text.length <= 8 * 1024);
});

test('engines find the words by which they tell failures apart', () => {
  const words: [ConstructorParameters<typeof WardianError>[0], RegExp][] = [
    ['COMMAND_NOT_FOUND', /no such file or directory/],
    ['COMMAND_NOT_EXECUTABLE', /permission denied/],
    ['CONTAINER_NOT_FOUND', /container does not exist/],
    ['CONTAINER_NOT_RUNNING', /container not running/],
  ];
  for (const [code, pattern] of words) {
    assert.match(describeFailure(new WardianError(code, 'that is it')), pattern);
  }
  const exact = new WardianError('COMMAND_NOT_FOUND', 'exec /x: no such file or directory');
  assert.equal(describeFailure(exact), 'exec /x: no such file or directory');
});
