import assert from 'node:assert/strict';
import { test } from 'node:test';
import { layOutTable } from './text-table.ts';

test('names stand to the left, figures to the right, and a title widens nothing', () => {
  const rows = [
    ['name', 'MiB', 'n'],
    ['a title that is much longer than any cell'],
    ['a', '1.5', ''],
  ];
  assert.equal(
    layOutTable([...rows, ['bcdef', '10.25', '3']]),
    [
      'name     MiB  n',
      'a title that is much longer than any cell',
      'a        1.5',
      'bcdef  10.25  3',
    ].join('\n'),
  );
});
