import { parseCpus, parseSize } from '../arguments/values.ts';
import type { CommandContext } from '../command.ts';
import { withSandboxer } from '../connect.ts';
import { type DescribedCommand, defineCommand } from '../define-command.ts';
import { dispatch } from '../dispatch.ts';
import { writeJson, writeText } from '../output/write-text.ts';

const create = defineCommand(
  {
    name: 'template create',
    operands: '',
    maximumOperands: 0,
    summary: 'make the template of a size unless it is there',
    flags: {
      cpus: { value: 'NUMBER', help: 'as for run' },
      memory: { short: 'm', value: 'SIZE', help: 'as for run' },
      json: { help: 'print JSON' },
    },
  },
  async ({ flags }, context) => {
    const limits = {
      ...(flags.cpus !== undefined && { cpus: parseCpus(flags.cpus) }),
      ...(flags.memory !== undefined && { memoryBytes: parseSize('--memory', flags.memory) }),
    };
    const { key, made } = await withSandboxer(context, (client) =>
      client.call('prepareTemplate', { limits }),
    );
    if (flags.json) await writeJson(context.stdout, { Key: key, Made: made });
    else await writeText(context.stdout, `${key}\n`);
    return 0;
  },
);

const children: readonly DescribedCommand[] = [create];

/** `wardian template`: its subcommands. */
export const template: DescribedCommand = Object.assign(
  (arguments_: string[], context: CommandContext) => dispatch(template, arguments_, context),
  {
    spec: {
      name: 'template',
      operands: 'COMMAND',
      summary: 'list, make or prune the templates that sandboxes are cloned from',
      flags: {},
    },
    children,
  },
);
