import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ERROR_CODES } from '../src/util/error-codes.ts';

const PAGE = path.join(import.meta.dirname, '../docs/errors.md');

const KINDS = {
  user: ['Mistakes in what was asked', 'Whoever typed the command can mend these.'],
  host: ['The host', 'Whoever looks after this machine can mend these.'],
  system: ['Wardian and the guest', 'These are not your fault.'],
} as const;

const INTRODUCTION = `# Errors

<!-- Made from src/util/error-codes.ts by scripts/write-error-docs.ts: change it there. -->

What can go wrong, by the code that \`wardian --debug\` prints with every error. The message of an error says what failed with which
value; its hint is more exact than the remedy here where more is known. Commands that have exit codes of their own for
some of these say so in [the command line](cli.md#errors-and-exit-codes).
`;

/** The manual of failures, from the table that the code uses. */
export function renderErrorDocs(): string {
  const sections = Object.entries(KINDS).map(([kind, [title, text]]) => {
    const rows = Object.entries(ERROR_CODES)
      .filter(([, entry]) => entry.kind === kind)
      .map(
        ([code, { exitCode, meaning, remedy }]) =>
          `| \`${code}\` | ${exitCode} | ${meaning} | ${remedy} |\n`,
      );
    return `\n## ${title}\n\n${text}\n\n| code | exit code | meaning | remedy |\n|---|---|---|---|\n${rows.join('')}`;
  });
  return INTRODUCTION + sections.join('');
}

/** True when the page says what the table says. */
export function areErrorDocsCurrent(): boolean {
  return readFileSync(PAGE, 'utf8') === renderErrorDocs();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(PAGE, renderErrorDocs());
