import assert from 'node:assert/strict';
import { test } from 'node:test';
import { summarize } from '../measure.ts';
import { BUDGETS, type BudgetReport, judge, toFigure } from './budget.ts';
import { formatBudgets } from './format-budgets.ts';
import { nameVariant } from './variant.ts';

test('a promise is met up to its limit, and missed by what is above it', () => {
  assert.equal(judge({ name: '', value: 20, limit: 20 }, 'ms'), 'met');
  assert.equal(judge({ name: '', value: 30, limit: 20 }, 'ms'), 'missed by 10.0 ms (× 1.50)');
  assert.equal(judge({ name: '', value: 20.001, limit: 20 }, 'ms'), 'missed by 0.00 ms (× 1.00)');
  assert.equal(judge({ name: '', value: -0.1, limit: 0 }, ''), 'met');
  assert.equal(judge({ name: '', value: 0.05, limit: 0 }, ''), 'missed by 0.05');
  assert.equal(judge({ name: '', value: 30 }, 'ms'), '');
  assert.equal(judge({ name: '', limit: 20 }, 'ms'), '');
});

test('what is promised depends on guest and pool', () => {
  const limits = [false, true].flatMap((pool) =>
    (['distro', 'mini'] as const).map((guest) => {
      const variant = { guest, pool };
      const { clone, library, run, coldBoot } = BUDGETS;
      return [clone, library, run, coldBoot].map((budget) => budget.limit(variant));
    }),
  );
  assert.deepEqual(limits, [
    [36, 110, 140, undefined],
    [20, 110, 140, 210],
    [36, 15, 50, undefined],
    [20, 15, 50, 210],
  ]);
});

test('a figure is the median, or the reason why there is none', () => {
  const samples = [1, 5, 2].map((value) => ({ value }));
  const measured = { name: 'a', samples, summary: summarize(samples) };
  assert.deepEqual(toFigure(measured, 3), { name: 'a', limit: 3, value: 2 });
  assert.deepEqual(toFigure({ name: 'b', failure: 'no kernel' }, undefined), {
    name: 'b',
    failure: 'no kernel',
  });
});

test('the table has a title for each promise, a verdict for ours and the peers below', () => {
  const report: BudgetReport = {
    results: [
      {
        name: 'run',
        title: 'run',
        unit: 'ms',
        figures: [
          { name: nameVariant({ guest: 'mini', pool: true }), value: 49.96, limit: 50 },
          { name: nameVariant({ guest: 'distro', pool: false }), value: 300, limit: 140 },
          { name: 'podman', value: 119 },
          { name: 'gVisor', failure: 'exit 1:\n no' },
        ],
      },
    ],
    omissions: [],
  };
  assert.equal(
    formatBudgets(report),
    [
      'budgets                  measured  budget  verdict',
      '',
      'run (ms)',
      '  wardian, mini, pool        50.0    ≤ 50  met',
      '  wardian, distro, cold     300.0   ≤ 140  missed by 160.0 ms (× 2.14)',
      '  podman                    119.0',
      '  gVisor: failed: exit 1: no',
    ].join('\n'),
  );
});
