import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ERROR_CODES } from '../src/util/error-codes.ts';
import { areErrorDocsCurrent, renderErrorDocs } from './write-error-docs.ts';

test('docs/errors.md is what the table of errors says', () => {
  assert.ok(areErrorDocsCurrent(), 'run: node --import tsx scripts/write-error-docs.ts');
});

test('every code stands on the page, once', () => {
  const page = renderErrorDocs();
  for (const code of Object.keys(ERROR_CODES)) {
    assert.equal(page.split(`\n| \`${code}\` |`).length, 2, code);
  }
});
