import { parseArguments } from './arguments/parse-arguments.ts';
import type { CommandSpec, FlagSpecs, ParsedArguments } from './arguments/spec.ts';
import type { Command, CommandContext } from './command.ts';
import { writeText } from './output/write-text.ts';

/** A command that says of itself what it takes; help and completion read `spec`. */
export type DescribedCommand = Command & {
  readonly spec: CommandSpec;
  readonly children?: readonly DescribedCommand[];
};

type Action<F extends FlagSpecs> = (
  parsed: ParsedArguments<F>,
  context: CommandContext,
) => Promise<number>;

/** Makes a command of a description and what it does; `--help` is answered here. */
export function defineCommand<const F extends FlagSpecs>(
  spec: CommandSpec<F>,
  action: Action<F>,
): DescribedCommand {
  const command = async (arguments_: string[], context: CommandContext): Promise<number> => {
    const parsed = parseArguments(spec, arguments_);
    if (!parsed.help) return action(parsed, context);
    const { renderHelp } = await import('./output/help-text.ts');
    await writeText(context.stdout, renderHelp(spec));
    return 0;
  };
  return Object.assign(command, { spec });
}
