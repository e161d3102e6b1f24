import type { PoolInfo, SandboxerInfo } from '../../sandboxer/api.ts';
import type { Explanation } from '../../template/explain-pair.ts';
import { withSandboxer } from '../connect.ts';
import { defineCommand } from '../define-command.ts';
import { formatSize } from '../output/human.ts';
import { printRecord } from '../output/print-record.ts';

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
    const { containers, directories, guest } = state;
    const text = `version:      ${state.version}
sandboxer:    process ${state.pid}
containers:   ${containers.running} running, ${containers.exited} ended
accelerator:  ${state.accelerator} (${state.acceleratorReason})
kernel:       ${guest.kernel.name}, ${guest.kernel.release || 'not there'} (${explain(guest.kernel)})
qemu:         ${guest.vmm.name}, ${guest.vmm.version} (${explain(guest.vmm)})
runtime:      ${directories.runtime}
cache:        ${directories.cache}
data:         ${directories.data}
pool:         ${describePool(state.pool)}
${state.configuration.map(describeSetting).join('')}`;
    await printRecord(context, { record: state, text }, flags);
    return 0;
  },
);

function explain({ reason, remedy }: Explanation): string {
  return remedy === undefined ? reason : `${reason}: ${remedy}`;
}

function describePool({ size, ready, memoryBytes, making }: PoolInfo): string {
  if (size === 0) return 'off';
  const next = making ? ', one on its way' : '';
  return `${ready} ready${next}, ${formatSize(memoryBytes)} of their own`;
}

function describeSetting(setting: SandboxerInfo['configuration'][number]): string {
  return `${`${setting.key}:`.padEnd(13)} ${setting.value} (${setting.source})\n`;
}
