import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { runTogether } from './run-together.ts';

test('so many times, never more at once than asked for', async () => {
  let [running, most, done] = [0, 0, 0];
  await runTogether(7, 3, async () => {
    most = Math.max(most, ++running);
    await delay(1);
    running--;
    done++;
  });
  assert.deepEqual([most, done, running], [3, 7, 0]);
  await runTogether(0, 3, () => assert.fail('nothing was asked for'));
});

test('after a failure nothing is begun, and what runs is waited for', async () => {
  let [begun, ended] = [0, 0];
  const work = async (): Promise<void> => {
    const number = ++begun;
    await delay(number === 1 ? 1 : 10);
    ended++;
    if (number === 1) throw new Error('the first');
  };
  await assert.rejects(runTogether(20, 2, work), /the first/);
  assert.deepEqual([begun, ended], [2, 2]);
});
