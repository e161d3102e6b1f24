import { withSandboxer } from '../connect.ts';
import { defineCommand } from '../define-command.ts';
import { parseTemplate } from '../output/template.ts';
import { writeJson, writeText } from '../output/write-text.ts';

/** `wardian info`. */
export const info = defineCommand(
  {
    name: 'info',
    operands: '',
    maximumOperands: 0,
    summary: 'show the state of Wardian on this host',
    flags: {
      json: { help: 'print JSON' },
      format: { short: 'f', value: 'FORMAT', help: 'json, or a template such as {{.version}}' },
    },
  },
  async ({ flags }, context) => {
    const state = await withSandboxer(context, (client) => client.call('info', {}));
    if (flags.json || flags.format === 'json') {
      await writeJson(context.stdout, state);
    } else if (flags.format !== undefined) {
      await writeText(context.stdout, `${parseTemplate(flags.format).render(state)}\n`);
    } else {
      const { containers, directories } = state;
      await writeText(
        context.stdout,
        `version:      ${state.version}
sandboxer:    process ${state.pid}
containers:   ${containers.running} running, ${containers.exited} ended
accelerator:  ${state.accelerator} (${state.acceleratorReason})
runtime:      ${directories.runtime}
cache:        ${directories.cache}
data:         ${directories.data}
`,
      );
    }
    return 0;
  },
);
