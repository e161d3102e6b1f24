import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { boundLog } from './log-bound.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'wardian-log-bound-'));
after(() => rmSync(folder, { recursive: true }));

test('a log begins anew when it is too long, and is left alone before', async () => {
  const log = path.join(folder, 'guest.log');
  writeFileSync(log, '');
  const stop = boundLog(log, 1000);
  appendFileSync(log, 'short');
  await delay(1_500);
  assert.equal(statSync(log).size, 5);
  appendFileSync(log, 'x'.repeat(2000));
  for (let i = 0; i < 50 && statSync(log).size > 1000; i++) await delay(100);
  assert.equal(statSync(log).size, 0);
  stop();
  appendFileSync(log, 'x'.repeat(2000));
  await delay(1_500);
  assert.equal(statSync(log).size, 2000);
});

test('a log that is not there, or that goes, harms nobody', async () => {
  boundLog(path.join(folder, 'none'), 1)();
  const log = path.join(folder, 'gone.log');
  writeFileSync(log, '');
  const stop = boundLog(log, 1);
  rmSync(log);
  await delay(50);
  stop();
});
