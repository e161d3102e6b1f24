import { WardianError } from '../../util/errors.ts';
import type { CommandSpec } from '../arguments/spec.ts';
import type { Command } from '../command.ts';
import { type DescribedCommand, defineCommand } from '../define-command.ts';
import { type CompletionEntry, renderCompletion, SHELLS } from '../output/completion-script.ts';
import { writeText } from '../output/write-text.ts';
import { VERBS } from '../verbs.ts';

/** `wardian completion`. */
export const completion = defineCommand(
  {
    name: 'completion',
    operands: SHELLS.join('|'),
    minimumOperands: 1,
    maximumOperands: 1,
    summary: 'print a completion script for bash, zsh or fish',
    flags: {},
    examples: [
      'source <(wardian completion bash)',
      'wardian completion zsh > "$fpath[1]/_wardian"',
      'wardian completion fish > ~/.config/fish/completions/wardian.fish',
    ],
  },
  async ({ operands: [name = ''] }, context) => {
    const shell = SHELLS.find((known) => known === name);
    if (shell === undefined) {
      throw new WardianError('USAGE', `there is no completion for ${JSON.stringify(name)}`, {
        hint: `it is one of: ${SHELLS.join(', ')}`,
      });
    }
    const entries = await Promise.all(VERBS.map(describeVerb));
    await writeText(context.stdout, renderCompletion(shell, entries));
    return 0;
  },
);

async function describeVerb(verb: (typeof VERBS)[number]): Promise<CompletionEntry> {
  const command = await verb.load();
  const { name, summary } = verb;
  if (!isDescribed(command)) return { name, summary, flags: {}, words: [] };
  const { spec, children = [] } = command;
  const flags = Object.assign({}, spec.flags, ...children.map((child) => child.spec.flags));
  const words = children.map((child) => child.spec.name.split(' ').at(-1) ?? '');
  if (name === 'completion') words.push(...SHELLS);
  if (name === 'help') words.push(...VERBS.map((other) => other.name));
  return { name, summary, flags, words, ...getOperands(spec) };
}

function isDescribed(command: Command): command is DescribedCommand {
  return 'spec' in command;
}

function getOperands({ completes }: CommandSpec): Pick<CompletionEntry, 'completes'> {
  return completes === undefined || completes === 'verb' ? {} : { completes };
}
