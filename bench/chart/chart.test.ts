import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DensityResult } from '../density/measure-density.ts';
import type { Step } from '../density/step.ts';
import { type Measured, summarize } from '../measure.ts';
import type { Results } from '../results.ts';
import { OURS, type RowResult } from '../table.ts';
import { shortenPeer } from './density-chart.ts';
import { drawChart } from './draw-chart.ts';
import { THEME } from './theme.ts';

const MEBIBYTE = 2 ** 20;

function step(count: number, mebibytes: number): Step {
  return {
    count,
    machineBytes: mebibytes * MEBIBYTE * count,
    sandboxerBytes: 0,
    templateBytes: 0,
    mergedBytes: 0,
    otherBytes: 0,
    proportionalBytes: 0,
    pageTableBytes: 0,
    sandboxerThreads: 11,
    sandboxerDescriptors: 30,
    machineThreads: 5,
  };
}

const density: DensityResult = {
  series: [
    { workload: 'busybox', merging: false, steps: [step(1, 60), step(10, 40)] },
    { workload: 'busybox', merging: true, steps: [step(1, 55), step(10, 33)] },
  ],
  peers: [{ name: 'podman 4.3.1 with crun', points: [{ count: 10, perContainerBytes: MEBIBYTE }] }],
  startRates: [],
  omissions: [],
  excesses: [],
};

function measured(name: string, median: number): Measured {
  const samples = [{ value: median }];
  return { name, samples, summary: summarize(samples) };
}

const run: RowResult = {
  name: 'run',
  title: '`wardian run`',
  unit: 'ms',
  budget: 50,
  measured: [measured(OURS, 123), measured('podman 4.3.1 with crun: run', 77)],
};

const base: Results = {
  version: 1,
  machine: {
    cpu: 'CPU',
    cores: 2,
    memoryGib: 24,
    kernel: '6.1',
    accelerator: 'tcg',
    qemu: '7.2',
    node: '20',
    loadAverage: 0.1,
  },
  absentPeers: [],
  rows: [run],
};

test('the same figures give the same chart, however many were drawn before', () => {
  for (const results of [base, { ...base, density }]) {
    assert.equal(drawChart(results), drawChart(results));
  }
});

test('density has a line with a name and its last figure for each series and engine', () => {
  const svg = drawChart({ ...base, density });
  for (const label of [
    'Wardian, busybox: 40',
    'busybox, merging on: 33',
    'podman with crun: 1.0',
  ]) {
    assert.ok(svg.includes(label), label);
  }
  assert.match(svg, /our budget at 50: 18/);
  assert.doesNotMatch(svg, /NaN|undefined|Infinity/);
});

test('times have bars with figures, and a stroke at the budget', () => {
  const svg = drawChart(base);
  for (const label of ['wardian run', '>123<', '>77<', 'podman with crun']) {
    assert.ok(svg.includes(label), label);
  }
  assert.ok(svg.includes(`fill="${THEME.budget}"`));
  assert.doesNotMatch(svg, /NaN|undefined/);
});

test('every colour has another one for dark surroundings', () => {
  const svg = drawChart({ ...base, density });
  const [, style = ''] = /<style>(.*)<\/style>/.exec(svg) ?? [];
  const colours = svg
    .replace(style, '')
    .replace(/<defs[\s\S]*<\/defs>/, '')
    .matchAll(/(?:fill|stroke)="(#\w+)"/g);
  for (const [, colour] of colours) assert.ok(style.includes(`"${colour}"`), colour);
});

test('a run without anything to draw says so', () => {
  assert.throws(() => drawChart({ ...base, rows: [] }), /nothing that was measured/);
});

test('peers are called without versions', () => {
  assert.equal(shortenPeer('containerd 1.6.20 (ctr) with runc'), 'containerd with runc');
  assert.equal(shortenPeer('gVisor (runsc, ptrace) 20221219'), 'gVisor (ptrace)');
  assert.equal(shortenPeer('crun 1.8.1'), 'crun');
});
