import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProcessCost } from './census.ts';
import { computeGrowth, computePerContainer, findExcesses, summarizeStep } from './step.ts';

function cost(changes: Partial<ProcessCost>): ProcessCost {
  return {
    name: '',
    privateBytes: 0,
    anonymousBytes: 0,
    residentBytes: 0,
    proportionalBytes: 0,
    pageTableBytes: 0,
    threads: 0,
    descriptors: 0,
    cpuMs: 0,
    ...changes,
  };
}

const machine = cost({ privateBytes: 40, proportionalBytes: 45, pageTableBytes: 2, threads: 5 });

function step(count: number, threads: number, descriptors: number, residentBytes = 100) {
  const sandboxer = cost({ residentBytes, privateBytes: 30, threads, descriptors });
  const machines = Array.from({ length: Math.max(count, 2) }, () => machine);
  return summarizeStep(count, { sandboxer, machines, others: [], templateBytes: 80 }, 0);
}

test('what is shared counts once, and a machine that only keeps company not at all', () => {
  const one = step(1, 11, 30);
  assert.equal(one.machineBytes, 40);
  assert.equal(computePerContainer(one), 40 + 100 + 80);
  assert.equal(one.proportionalBytes, 45 + 80);
  assert.equal(one.pageTableBytes, 2);
  assert.equal(computePerContainer(step(10, 11, 30)), (400 + 100 + 80) / 10);
});

test('what a stem shares with its forks counts once', () => {
  const sandboxer = cost({ residentBytes: 100 });
  const fork = cost({ privateBytes: 7, anonymousBytes: 60 });
  const stem = cost({ privateBytes: 5, anonymousBytes: 70 });
  const census = { sandboxer, machines: [fork, fork], others: [stem], templateBytes: 0 };
  assert.equal(computePerContainer(summarizeStep(2, census, 0)), (14 + 100 + 70) / 2);
});

test('helpers and merged pages count, too', () => {
  const sandboxer = cost({ residentBytes: 100 });
  const census = {
    sandboxer,
    machines: [machine, machine],
    others: [machine],
    templateBytes: 0,
  };
  assert.equal(computePerContainer(summarizeStep(2, census, 6)), (80 + 100 + 40 + 6) / 2);
});

test('growth is the slope between the first and the last step', () => {
  assert.deepEqual(computeGrowth([step(1, 11, 30), step(5, 11, 34), step(12, 12, 50, 300)]), {
    bytes: 20,
    threads: 0.1,
    descriptors: 2,
  });
  assert.equal(computeGrowth([step(1, 11, 30)]), undefined);
});

test('two sockets for a container are in order, a thread is not, nor a third file', () => {
  assert.deepEqual(findExcesses([step(1, 11, 30), step(52, 11, 130)]), []);
  assert.match(findExcesses([step(1, 11, 30), step(52, 12, 130)])[0] ?? '', /threads grew by 1 /);
  assert.match(findExcesses([step(1, 11, 30), step(52, 11, 180)])[0] ?? '', /files grew by 150/);
  assert.deepEqual(findExcesses([step(1, 11, 30)]), []);
});
