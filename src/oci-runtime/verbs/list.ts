import { WardianError } from '../../util/errors.ts';
import { clearLeftover } from '../remove/clear-leftover.ts';
import type { RuntimeContext, Verb } from '../runtime-context.ts';
import type { ContainerState } from '../state/container-state.ts';
import {
  getContainerFolder,
  listContainerIds,
  readState,
  removeDrafts,
} from '../state/state-folder.ts';
import { describeState } from '../state/status.ts';

const HEADER = ['ID', 'PID', 'STATUS', 'BUNDLE', 'CREATED', 'OWNER'];

/** `list [-f table|json] [-q]`: every container below the root, in the forms of runc. */
export const list: Verb = async ({ flags, context }) => {
  const format = flags.getText('format') ?? 'table';
  if (format !== 'table' && format !== 'json') {
    throw new WardianError('USAGE', `--format is ${JSON.stringify(format)}`, {
      hint: 'it is table or json',
    });
  }
  const states = await loadStates(context);
  if (flags.isSet('quiet')) context.print(states.map(({ id }) => `${id}\n`).join(''));
  else context.print(format === 'json' ? renderJson(states) : renderTable(states));
  return 0;
};

/** Those that commands left half made are cleared away, and one that cannot be read hides no other. */
async function loadStates(context: RuntimeContext): Promise<ContainerState[]> {
  removeDrafts(context.root);
  const states: ContainerState[] = [];
  for (const id of listContainerIds(context.root)) {
    try {
      if (await clearLeftover(context, id)) continue;
      states.push(readState(getContainerFolder(context.root, id), id));
    } catch (error) {
      if (!(error instanceof WardianError)) throw error; // Whoever asks for that one is told.
    }
  }
  return states;
}

function renderJson(states: readonly ContainerState[]): string {
  return `${JSON.stringify(
    states.map((state) => {
      const { rootfs, created, owner } = state;
      return { ...describeState(state), rootfs, created, owner };
    }),
  )}\n`;
}

function renderTable(states: readonly ContainerState[]): string {
  const rows = states.map((state) => {
    const { id, pid, status, bundle } = describeState(state);
    return [id, String(pid), status, bundle, state.created, state.owner];
  });
  const table = [HEADER, ...rows];
  const widths = HEADER.map((_, column) =>
    Math.max(...table.map((row) => row[column]?.length ?? 0)),
  );
  const lines = table.map((row) =>
    row
      .map((cell, column) => cell.padEnd((widths[column] ?? 0) + 2))
      .join('')
      .trimEnd(),
  );
  return `${lines.join('\n')}\n`;
}
