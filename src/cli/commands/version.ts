import { SandboxerClient } from '../../sandboxer/client.ts';
import { defineCommand } from '../define-command.ts';
import { printRecord } from '../output/print-record.ts';

/** `wardian version`. */
export const version = defineCommand(
  {
    name: 'version',
    operands: '',
    maximumOperands: 0,
    summary: 'show versions',
    flags: {
      json: { help: 'print JSON' },
      format: { short: 'f', value: 'FORMAT', help: 'json, or a template such as {{.Version}}' },
    },
  },
  async ({ flags }, context) => {
    const client = await SandboxerClient.connectIfRunning(context);
    client?.close();
    const versions = {
      Version: context.version,
      Node: process.versions.node,
      Platform: `${process.platform}/${process.arch}`,
      Sandboxer: client === undefined ? '' : context.version,
    };
    const text = `wardian:    ${versions.Version}
node:       ${versions.Node}
platform:   ${versions.Platform}
sandboxer:  ${versions.Sandboxer || 'not running'}
`;
    await printRecord(context, { record: versions, text }, flags);
    return 0;
  },
);
