import { VERBS } from '../verbs.ts';
import { renderColumns } from './help-text.ts';

/** The help text of `wardian` itself. */
export function renderOverview(): string {
  const verbs = VERBS.map(({ name, summary }): [string, string] => [name, summary]);
  return `wardian: containers, each in a small virtual machine of its own

usage:
  wardian [--debug] COMMAND [flags] ...

commands:
${renderColumns(verbs)}

flags:
${renderColumns([
  ['--debug', 'with an error, show its causes and stacks'],
  ['--help', 'show this text; behind a command, explain it'],
  ['--version', 'show the version'],
])}
`;
}
