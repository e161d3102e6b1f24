import assert from 'node:assert/strict';
import { test } from 'node:test';
import { measureProcess, parseCpu, parseRollup, parseStatus, takeCensus } from './census.ts';

test('a rollup gives private, resident and proportional memory, the template’s left out', () => {
  const rollup = [
    'Rss:               82680 kB',
    'Pss:               47392 kB',
    'Pss_Dirty:         42944 kB',
    'Pss_Anon:          38000 kB',
    'Pss_File:           4000 kB',
    'Pss_Shmem:          4283 kB',
    'Private_Clean:        84 kB',
    'Private_Dirty:     38664 kB',
    'Anonymous:         39000 kB',
  ].join('\n');
  assert.deepEqual(parseRollup(rollup), {
    privateBytes: (84 + 38_664) * 1024,
    anonymousBytes: 39_000 * 1024,
    residentBytes: 82_680 * 1024,
    proportionalBytes: 42_000 * 1024,
  });
});

test('page tables and threads are read from the status', () => {
  const text = 'Name:\tnode\nVmPTE:\t     300 kB\nThreads:\t11\n';
  assert.deepEqual(parseStatus(text), { pageTableBytes: 300 * 1024, threads: 11 });
});

test('processor time is found behind a name with brackets and spaces', () => {
  const stat = '7 (a ) S 1) S 1 7 7 0 -1 0 0 0 0 0 20 3 0 0 20 0 1 0 5';
  assert.equal(parseCpu(stat), 230);
});

test('a process is measured whole', () => {
  const cost = measureProcess(process.pid);
  assert.ok(cost !== undefined);
  assert.ok(cost.privateBytes > 1e6 && cost.residentBytes >= cost.privateBytes);
  assert.ok(cost.threads >= 4 && cost.descriptors > 3 && cost.cpuMs > 0);
});

test('a machine that has gone is no idle machine', () => {
  const gone = 2 ** 22 + 1; // above the kernel's largest pid
  const population = { sandboxer: process.pid, machines: [process.pid, gone], others: [gone] };
  assert.throws(() => takeCensus(population), /1 of the virtual machines/);
  assert.throws(() => takeCensus({ ...population, sandboxer: gone }), /sandboxer has gone/);
  const census = takeCensus({ ...population, machines: [process.pid] });
  assert.deepEqual([census.machines.length, census.others.length], [1, 0]);
});
