import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { test } from 'node:test';
import { parseSignal, signalName } from './signals.ts';

test('names and numbers are those of this platform', () => {
  for (const [name, number] of Object.entries(constants.signals)) {
    assert.equal(parseSignal(name), number, name);
  }
});

test('names go both ways', () => {
  for (let signal = 1; signal <= 64; signal++) {
    if (signal === 32 || signal === 33) continue;
    assert.equal(parseSignal(signalName(signal)), signal);
  }
  assert.equal(signalName(32), '32');
});

test('signals may be written as people write them', () => {
  const cases = { TERM: 15, sigkill: 9, '10': 10, Cld: 17, RTMIN: 34, 'SIGRTMIN+3': 37 };
  for (const [text, signal] of Object.entries(cases)) assert.equal(parseSignal(text), signal, text);
  assert.equal(parseSignal('RTMAX-1'), 63);
});

test('what is no signal is a usage error', () => {
  for (const text of [
    '',
    '0',
    '65',
    '-9',
    '9.5',
    'SIG',
    'SIGFOO',
    'RTMIN-1',
    'RTMAX+1',
    'RTMIN+31',
  ]) {
    assert.throws(() => parseSignal(text), { code: 'USAGE' }, text);
  }
});
