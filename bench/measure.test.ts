import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Contestant, measureInterleaved, quantile, summarize } from './measure.ts';

const QUICK = { runs: 3, warmups: 1, timeoutMs: 1_000, settleMs: 0 };

test('quantiles lie between their neighbours', () => {
  assert.equal(quantile([7], 0.5), 7);
  assert.equal(quantile([1, 2, 3, 10], 0.5), 2.5);
  assert.equal(quantile([1, 2, 3, 4, 5], 0.25), 2);
  assert.throws(() => quantile([], 0.5), /no measurements/);
});

test('a summary tells the median, the ends and the middle half, whatever the order', () => {
  const samples = [5, 1, 4, 2, 3].map((value) => ({ value, parts: { half: value / 2 } }));
  assert.deepEqual(summarize(samples), {
    runs: 5,
    median: 3,
    min: 1,
    max: 5,
    spread: 2,
    parts: { half: 1.5 },
  });
});

test('contestants take turns, warm-ups do not count, and the order rotates', async () => {
  const order: string[] = [];
  const contestant = (name: string): Contestant => {
    let calls = 0;
    return {
      name,
      measure: async () => {
        order.push(name);
        return { value: calls++ };
      },
    };
  };
  const measured = await measureInterleaved([contestant('a'), contestant('b')], QUICK);
  assert.equal(order.join(''), 'abbaabba');
  for (const one of measured) {
    assert.ok('samples' in one);
    assert.deepEqual(
      one.samples.map(({ value }) => value),
      [1, 2, 3],
    );
  }
});

test('one that fails is reported and not measured again; the others go on', async () => {
  let tries = 0;
  const broken: Contestant = {
    name: 'broken',
    measure: async () => {
      tries++;
      throw new Error('it does not run here');
    },
  };
  const sound: Contestant = { name: 'sound', measure: async () => ({ value: 1 }) };
  const [first, second] = await measureInterleaved([broken, sound], QUICK);
  assert.deepEqual(first, { name: 'broken', failure: 'it does not run here' });
  assert.equal(tries, 1);
  assert.ok(second !== undefined && 'summary' in second && second.summary.runs === 3);
});

test('one that hangs has failed', async () => {
  const hung: Contestant = { name: 'hung', measure: () => new Promise(() => {}) };
  const [measured] = await measureInterleaved([hung], { ...QUICK, timeoutMs: 20 });
  assert.deepEqual(measured, { name: 'hung', failure: 'not done after 20 ms' });
});

test('an abort ends the whole measurement', async () => {
  const controller = new AbortController();
  const hung: Contestant = { name: 'hung', measure: () => new Promise(() => {}) };
  setTimeout(() => controller.abort(new Error('interrupted')), 20);
  await assert.rejects(
    measureInterleaved([hung], { ...QUICK, signal: controller.signal }),
    /interrupted/,
  );
});
