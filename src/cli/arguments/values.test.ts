import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { measureDistance, suggest } from '../../util/suggest.ts';
import { collectEnvironment, readLines } from './environment.ts';
import { parseTime } from './time.ts';
import {
  parseCpus,
  parseEntrypoint,
  parseInteger,
  parseLabels,
  parsePidsLimit,
  parseSeconds,
  parseSize,
  parseTmpfs,
} from './values.ts';

test('sizes are read as podman reads them', () => {
  const sizes: Record<string, number> = {
    '512': 512,
    '1b': 1,
    '1k': 1024,
    '64m': 64 * 2 ** 20,
    '1.5g': 1.5 * 2 ** 30,
    '2GB': 2 * 2 ** 30,
    '2GiB': 2 * 2 ** 30,
  };
  for (const [text, bytes] of Object.entries(sizes)) assert.equal(parseSize('-m', text), bytes);
  for (const text of ['', 'm', '-1m', '1x', '1e3', '0', '99999999t', '0x10']) {
    assert.throws(() => parseSize('-m', text), { code: 'USAGE' }, text);
  }
});

test('numbers are bounded', () => {
  assert.equal(parseCpus('.5'), 0.5);
  for (const text of ['0', '0.001', 'two', '', '1e9', '-1']) {
    assert.throws(() => parseCpus(text), { code: 'USAGE' }, text);
  }
  assert.equal(parsePidsLimit('-1'), undefined);
  assert.equal(parsePidsLimit('100'), 100);
  assert.throws(() => parseInteger('-t', '1.5'), { code: 'USAGE' });
  assert.throws(() => parseInteger('-t', '-1'), { code: 'USAGE' });
});

test('labels, tmpfs and entry points', () => {
  assert.deepEqual(parseLabels(['a=b=c', 'd']), { a: 'b=c', d: '' });
  assert.throws(() => parseLabels(['=x']), { code: 'USAGE' });
  assert.deepEqual(parseTmpfs('/run:size=1m,mode=700'), {
    destination: '/run',
    options: 'size=1m,mode=700',
  });
  assert.deepEqual(parseTmpfs('/run'), { destination: '/run', options: '' });
  assert.throws(() => parseTmpfs('run'), { code: 'USAGE' });
  assert.deepEqual(parseEntrypoint(''), []);
  assert.deepEqual(parseEntrypoint('/bin/sh -c'), ['/bin/sh -c']);
  assert.deepEqual(parseEntrypoint('["a","b c"]'), ['a', 'b c']);
  assert.deepEqual(parseEntrypoint('[ -f x ]'), ['[ -f x ]']);
});

test('variables come from the line, the host and files, the line winning', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'wardian-values-'));
  const file = path.join(folder, 'env');
  writeFileSync(file, '# a comment\n\n  A=from file \r\nHOME\nMISSING\nE=\nX_*\n  #no\n');
  const host = { HOME: '/root', X_1: 'one', X_2: 'two', OTHER: 'other' };
  assert.deepEqual(collectEnvironment(['A=from line', 'OTHER', 'NONE'], [file], host), [
    ...['A=from line', 'HOME=/root', 'E=', 'X_1=one', 'X_2=two', 'OTHER=other'],
  ]);
  assert.deepEqual(collectEnvironment([], [file], {}), ['A=from file ', 'E=']);
  assert.throws(() => collectEnvironment(['=x'], [], host), { code: 'USAGE' });
  assert.throws(() => readLines(path.join(folder, 'nowhere')), { code: 'PATH_NOT_FOUND' });
  assert.throws(() => readLines('/dev/zero'), { code: 'USAGE', message: /is longer than/ });
  rmSync(folder, { recursive: true });
});

test('times are points, Unix seconds or how long ago', () => {
  const nowMs = Date.parse('2026-01-02T03:04:05Z');
  assert.equal(parseTime('--since', '1h30m', nowMs), nowMs - 5_400_000);
  assert.equal(parseTime('--since', '10s', nowMs), nowMs - 10_000);
  assert.equal(parseTime('--since', '1700000000', nowMs), 1_700_000_000_000);
  assert.equal(parseTime('--since', '1700000000.5', nowMs), 1_700_000_000_500);
  assert.equal(parseTime('--since', '2026-01-02T03:04:05Z', nowMs), nowMs);
  for (const text of ['', 'yesterday', '1x', '2026-99-99', '5']) {
    if (text === '5') assert.equal(parseTime('--since', text, nowMs), 5000);
    else assert.throws(() => parseTime('--since', text, nowMs), { code: 'USAGE' }, text);
  }
});

test('near words are suggested, far ones are not', () => {
  assert.equal(measureDistance('rnu', 'run'), 1);
  assert.equal(measureDistance('kitten', 'sitting'), 3);
  assert.equal(suggest('intractive', ['interactive', 'init']), 'interactive');
  assert.equal(suggest('zzz', ['run', 'rm']), undefined);
});

test('seconds are as many as a timer can wait', () => {
  assert.equal(parseSeconds('--time', '2147483'), 2_147_483);
  for (const text of ['2147484', '-1', '1.5', '']) {
    const expected = { code: 'USAGE', hint: 'write a whole number from 0 to 2147483' };
    assert.throws(() => parseSeconds('--time', text), expected, text);
  }
});
