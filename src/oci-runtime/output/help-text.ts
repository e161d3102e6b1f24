import { WardianError } from '../../util/errors.ts';
import { VERSION } from '../../util/version.ts';
import type { Flag } from '../arguments/flags.ts';
import { LEADING_FLAGS } from '../arguments/parse-arguments.ts';
import { VERB_USAGES, type VerbName, type VerbUsage } from '../arguments/verb-flags.ts';
import { SPECIFICATION_VERSION } from '../state/container-state.ts';

/** In the manner of runc and crun: engines show the first line, and some read the second. */
export function renderVersion(): string {
  return `wardian-runtime version ${VERSION}\nspec: ${SPECIFICATION_VERSION}\n`;
}

/** The help for one verb, or for all. */
export function renderHelp(verb: string | undefined): string {
  if (verb === undefined) return renderOverview();
  if (!Object.hasOwn(VERB_USAGES, verb)) {
    throw new WardianError('USAGE', `there is no command ${JSON.stringify(verb.slice(0, 64))}`, {
      hint: `it is one of: ${Object.keys(VERB_USAGES).join(', ')}`,
    });
  }
  return renderVerb(verb as VerbName, VERB_USAGES[verb as VerbName]);
}

function renderOverview(): string {
  const verbs = Object.entries(VERB_USAGES).map(([name, { summary }]) => [name, summary] as const);
  return [
    'wardian-runtime - runs OCI containers in virtual machines of their own',
    '',
    'usage: wardian-runtime [GLOBAL FLAG...] COMMAND [FLAG...] [OPERAND...]',
    '',
    'commands:',
    ...renderColumns(verbs),
    '',
    'global flags:',
    ...renderFlags(LEADING_FLAGS),
    '',
  ].join('\n');
}

function renderVerb(name: VerbName, { flags, operands, summary }: VerbUsage): string {
  const words = [name, ...(flags.length > 0 ? ['[FLAG...]'] : []), ...operands];
  return [
    `usage: wardian-runtime [GLOBAL FLAG...] ${words.join(' ')}`,
    '',
    summary,
    ...(flags.length > 0 ? ['', 'flags:', ...renderFlags(flags)] : []),
    '',
  ].join('\n');
}

function renderFlags(flags: readonly Flag[]): string[] {
  return renderColumns(
    flags.map((flag) => {
      const value = flag.kind === 'switch' ? '' : ` ${flag.kind === 'number' ? 'N' : 'VALUE'}`;
      const short = flag.short === undefined ? '' : `, -${flag.short}`;
      const ignored = flag.ignored === undefined ? '' : ` (ignored: ${flag.ignored})`;
      return [`--${flag.name}${short}${value}`, `${flag.help}${ignored}`];
    }),
  );
}

function renderColumns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  return rows.map(([left, right]) => `  ${left.padEnd(width)}${right}`);
}
