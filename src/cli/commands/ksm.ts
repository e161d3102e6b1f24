import { setTimeout as delay } from 'node:timers/promises';
import { disableKsm, enableKsm, type KsmState, readKsm, readProcessKsm } from '../../host/ksm.ts';
import { SandboxerClient } from '../../sandboxer/client.ts';
import type { CommandContext } from '../command.ts';
import { type DescribedCommand, defineCommand } from '../define-command.ts';
import { dispatch } from '../dispatch.ts';
import { type KsmReport, renderKsm, type SandboxKsm } from '../output/ksm-text.ts';
import { writeJson, writeText } from '../output/write-text.ts';

/** Long enough to tell a percent of a core in ticks of 10 ms. */
const SAMPLE_MS = 1_000;

/** The subcommands for a host whose files lie below `root`: `/`, or a tree that a test has made. */
export function describeKsm(root: string): DescribedCommand {
  const children = [defineStatus(root), defineEnable(root), defineDisable(root)];
  const group: DescribedCommand = Object.assign(
    (arguments_: string[], context: CommandContext) => dispatch(group, arguments_, context),
    {
      spec: {
        name: 'ksm',
        operands: 'COMMAND',
        summary: 'let the kernel merge equal pages of sandboxes, or say what that does',
        flags: {},
      },
      children,
    },
  );
  return group;
}

function defineStatus(root: string): DescribedCommand {
  return defineCommand(
    {
      name: 'ksm status',
      operands: '',
      maximumOperands: 0,
      summary: 'explain same-page merging, and say what it saves and costs now',
      flags: { json: { help: 'print JSON' } },
    },
    async ({ flags }, context) => {
      const report = await examine(root, context);
      if (flags.json) await writeJson(context.stdout, report);
      else await writeText(context.stdout, renderKsm(report));
      return 0;
    },
  );
}

function defineEnable(root: string): DescribedCommand {
  return defineCommand(
    {
      name: 'ksm enable',
      operands: '',
      maximumOperands: 0,
      summary: 'switch same-page merging on, for the whole host (as root)',
      flags: {},
    },
    async (_, { stdout }) => {
      enableKsm(root);
      const { pagesToScan, sleepMs } = readKsm(root);
      await writeText(
        stdout,
        `same-page merging is on for the whole host: ${pagesToScan} pages every ${sleepMs} ms
Containers of different tenants can now learn from each other what is in their memory: wardian ksm status
Undo: wardian ksm disable. A restart of the machine undoes it, too.
`,
      );
      return 0;
    },
  );
}

function defineDisable(root: string): DescribedCommand {
  return defineCommand(
    {
      name: 'ksm disable',
      operands: '',
      maximumOperands: 0,
      summary: 'switch same-page merging off and take merged pages apart (as root)',
      flags: {},
    },
    async (_, { stdout }) => {
      disableKsm(root);
      await writeText(
        stdout,
        'same-page merging is off, and what was merged has been copied again\n',
      );
      return 0;
    },
  );
}

async function examine(root: string, context: CommandContext): Promise<KsmReport> {
  const before = readKsm(root);
  if (!before.isOn) return { state: before, sandboxes: await examineSandboxes(root, context) };
  const sandboxes = await examineSandboxes(root, context);
  await delay(SAMPLE_MS);
  const state = readKsm(root);
  const threadLoad = computeLoad(before, state);
  return { state, sandboxes, ...(threadLoad !== undefined && { threadLoad }) };
}

/** Part of one core that the kernel's thread took between two looks. */
function computeLoad(before: KsmState, after: KsmState): number | undefined {
  if (before.threadCpuMs === undefined || after.threadCpuMs === undefined) return undefined;
  return (after.threadCpuMs - before.threadCpuMs) / SAMPLE_MS;
}

/** The VMMs of this user's containers. No sandboxer is started for a look. */
async function examineSandboxes(root: string, context: CommandContext): Promise<SandboxKsm> {
  const client = await SandboxerClient.connectIfRunning(context);
  if (client === undefined) return { running: 0, readable: 0, mergeable: 0, mergedPages: 0 };
  try {
    const { containers } = await client.call('list', { all: false });
    const details = await Promise.all(
      containers.map(({ id }) => client.call('inspect', { container: id })),
    );
    const pids = details.map(({ state }) => state.pid).filter((pid) => pid > 0);
    const found = pids.map((pid) => readProcessKsm(root, pid)).filter((one) => one !== undefined);
    return {
      running: pids.length,
      readable: found.length,
      mergeable: found.filter(({ isMergeable }) => isMergeable).length,
      mergedPages: found.reduce((sum, { mergedPages }) => sum + mergedPages, 0),
    };
  } finally {
    client.close();
  }
}

/** `wardian ksm`: its subcommands. */
export const ksm = describeKsm('/');
