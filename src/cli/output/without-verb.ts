import { WardianError } from '../../util/errors.ts';
import { suggest } from '../../util/suggest.ts';
import type { CommandContext } from '../command.ts';
import { VERBS } from '../verbs.ts';
import { renderOverview } from './overview-text.ts';
import { writeText } from './write-text.ts';

/** What `wardian` does when its first argument is no verb: `--help`, or a mistake. */
export async function answerWithoutVerb(
  first: string,
  rest: readonly string[],
  context: CommandContext,
): Promise<number> {
  if (first === '--help' || first === '-h') {
    await writeText(context.stdout, renderOverview());
    return 0;
  }
  if (first.startsWith('-')) {
    const hint = rest.includes('--debug') ? '--debug stands first' : 'see: wardian --help';
    throw new WardianError('USAGE', `unknown flag ${first} before a command`, { hint });
  }
  const closest = suggest(
    first,
    VERBS.map(({ name }) => name),
  );
  throw new WardianError('USAGE', `${JSON.stringify(first)} is not a command`, {
    hint: closest === undefined ? 'see: wardian --help' : `did you mean: wardian ${closest}`,
  });
}
