import { defineCommand } from '../define-command.ts';
import { renderOverview } from '../output/overview-text.ts';
import { answerWithoutVerb } from '../output/without-verb.ts';
import { writeText } from '../output/write-text.ts';
import { findVerb } from '../verbs.ts';

/** `wardian help`: the overview, or one command's help. */
export const help = defineCommand(
  {
    name: 'help',
    operands: '[COMMAND...]',
    summary: 'explain a command',
    completes: 'verb',
    flags: {},
  },
  async ({ operands: [name, ...rest] }, context) => {
    if (name === undefined) {
      await writeText(context.stdout, renderOverview());
      return 0;
    }
    const verb = findVerb(name);
    if (verb === undefined) return answerWithoutVerb(name, rest, context);
    return (await verb.load())([...rest, '--help'], context);
  },
);
