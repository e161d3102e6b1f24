import { WardianError } from '../util/errors.ts';
import { suggest } from '../util/suggest.ts';
import type { CommandContext } from './command.ts';
import type { DescribedCommand } from './define-command.ts';
import { renderGroupHelp } from './output/help-text.ts';
import { writeText } from './output/write-text.ts';

/** Runs the subcommand that the first argument names. */
export async function dispatch(
  group: DescribedCommand,
  [first, ...rest]: string[],
  context: CommandContext,
): Promise<number> {
  const { spec, children = [] } = group;
  const specs = children.map((child) => child.spec);
  if (first === '--help' || first === '-h') {
    await writeText(context.stdout, renderGroupHelp(spec, specs));
    return 0;
  }
  const child = children.find((candidate) => candidate.spec.name === `${spec.name} ${first}`);
  if (child !== undefined) return child(rest, context);
  const names = specs.map(({ name }) => name.slice(spec.name.length + 1));
  const closest = first === undefined ? undefined : suggest(first, names);
  const what = first === undefined ? 'needs a command' : `has no command ${JSON.stringify(first)}`;
  throw new WardianError('USAGE', `${spec.name} ${what}`, {
    hint: closest === undefined ? `it is one of: ${names.join(', ')}` : `did you mean ${closest}?`,
  });
}
