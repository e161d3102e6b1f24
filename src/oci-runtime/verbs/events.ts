import { setTimeout as delay } from 'node:timers/promises';
import type { ContainerStats } from '../../sandboxer/api-basics.ts';
import { toWardianError, WardianError } from '../../util/errors.ts';
import { findHierarchies } from '../cgroups/hierarchies.ts';
import { findControllerDirectory } from '../cgroups/host-cgroups.ts';
import type { RuntimeContext, Verb } from '../runtime-context.ts';
import { SandboxerCalls } from '../sandboxer/sandboxer-calls.ts';
import type { ContainerState } from '../state/container-state.ts';
import { getContainerFolder, readState } from '../state/state-folder.ts';
import { getStatus } from '../state/status.ts';
import { describeOutOfMemory, describeStatistics } from '../statistics/describe-event.ts';
import { type HostFigures, readHostFigures } from '../statistics/host-figures.ts';
import { parseInterval } from '../statistics/parse-interval.ts';

/** `events [--stats] ID`: prints figures of a container once, or again and again, with what happens to it, until it ends. */
export const events: Verb = async ({ flags, operands: [id = ''], context }) => {
  const intervalMs = parseInterval(flags.getText('interval'));
  const state = readState(getContainerFolder(context.root, id), id);
  if (!isAlive(state)) {
    throw new WardianError(
      'CONTAINER_NOT_RUNNING',
      `container "${id}" is ${getStatus(state)}: container not running`,
    );
  }
  const sandboxer = new SandboxerCalls(context, state.key);
  try {
    if (flags.isSet('stats')) await printOnce(sandboxer, state, context);
    else await printUntilItEnds({ sandboxer, state, context, intervalMs });
  } finally {
    sandboxer.close();
  }
  return 0;
};

interface Watching {
  readonly sandboxer: SandboxerCalls;
  readonly state: ContainerState;
  readonly context: RuntimeContext;
  readonly intervalMs: number;
}

async function printUntilItEnds(watching: Watching): Promise<void> {
  const { sandboxer, state, context, intervalMs } = watching;
  let kills = 0;
  while (isAlive(state)) {
    try {
      const { guest, host } = await printOnce(sandboxer, state, context);
      const now = guest.outOfMemoryKills + host.outOfMemoryKills;
      if (now > kills) print(context, describeOutOfMemory(state.id));
      kills = now;
    } catch (thrown) {
      const error = toWardianError(thrown);
      // It has ended between our look and our question.
      if (error.code === 'CONTAINER_NOT_RUNNING' || error.code === 'CONTAINER_NOT_FOUND') return;
      throw error;
    }
    await delay(intervalMs);
  }
}

async function printOnce(
  sandboxer: SandboxerCalls,
  state: ContainerState,
  context: RuntimeContext,
): Promise<{ guest: ContainerStats; host: HostFigures }> {
  const guest = await sandboxer.call('stats', { container: state.key });
  const { directories } = state.cgroups;
  const hierarchies = directories.length === 0 ? [] : findHierarchies();
  const host = readHostFigures((controller) =>
    findControllerDirectory(controller, directories, hierarchies),
  );
  print(context, describeStatistics(state.id, guest, host));
  return { guest, host };
}

function isAlive(state: ContainerState): boolean {
  const status = getStatus(state);
  return status !== 'stopped' && status !== 'creating';
}

function print(context: RuntimeContext, event: object): void {
  context.print(`${JSON.stringify(event)}\n`);
}
