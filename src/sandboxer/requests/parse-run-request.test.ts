import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRunRequest } from './parse-run-request.ts';

const REQUEST = {
  id: '0'.repeat(64),
  image: 'busybox',
  command: ['true'],
  env: ['A=1'],
  terminal: false,
  interactive: false,
  autoRemove: true,
  detached: false,
  readOnly: false,
  tmpfs: [{ destination: '/x', options: 'size=1m' }],
  network: 'none',
  labels: { a: 'b' },
  limits: { cpus: 0.5, memoryBytes: 64 * 2 ** 20, pids: 10 },
  template: true,
};

test('a whole request comes back as it is, without what nobody asked for', () => {
  assert.deepEqual(parseRunRequest({ ...REQUEST, surprise: 1 }), REQUEST);
});

test('a guest is asked for or not', () => {
  assert.equal(parseRunRequest({ ...REQUEST, guest: 'distro' }).guest, 'distro');
  assert.ok(!('guest' in parseRunRequest(REQUEST)));
});

test('a trace is asked for or not', () => {
  assert.equal(parseRunRequest({ ...REQUEST, trace: true }).trace, true);
  assert.ok(!('trace' in parseRunRequest(REQUEST)));
});

const WRONG: [string, unknown, RegExp][] = [
  ['id', '../../etc', /^id must be 64 hex digits$/],
  ['image', 7, /^image must be a text$/],
  ['image', 'a\0b', /NUL/],
  ['command', 'true', /^command must be a list/],
  ['command', ['x'.repeat(200_000)], /^command\[0\] is longer/],
  ['env', Array.from({ length: 70_000 }, () => 'A=1'), /^env has more than/],
  ['env', Array.from({ length: 30 }, () => 'x'.repeat(100_000)), /^env has more than \d+ bytes/],
  ['network', 'host', /^network can only be/],
  ['terminal', 'yes', /^terminal must be true or false$/],
  ['tmpfs', [{ destination: 'x', options: '' }], /must be absolute/],
  ['limits', { memoryBytes: 1.5 * 2 ** 23 + 0.5 }, /whole number/],
  ['limits', { cpus: 0 }, /^limits.cpus must be a number from/],
  ['limits', { pids: Number.NaN }, /^limits.pids must be a number/],
  ['guest', 'auto', /^guest must be distro or mini$/],
  ['trace', 'yes', /^trace must be true or false$/],
  ['stopSignal', 65, /^stopSignal must be a number from/],
  ['labels', [], /^labels must be an object$/],
  ['terminalSize', { rows: -1, columns: 3 }, /^terminalSize.rows/],
];

for (const [field, value, message] of WRONG) {
  test(`${field} = ${JSON.stringify(value).slice(0, 40)} is refused`, () => {
    assert.throws(() => parseRunRequest({ ...REQUEST, [field]: value }), {
      code: 'USAGE',
      message,
    });
  });
}

test('what is not an object at all is refused', () => {
  for (const value of [undefined, null, 3, 'x', []])
    assert.throws(() => parseRunRequest(value), { code: 'USAGE' });
});
