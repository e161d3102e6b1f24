import type { ContainerSummary } from '../../sandboxer/api.ts';
import { withSandboxer } from '../connect.ts';
import { defineCommand } from '../define-command.ts';
import { formatAge, formatTime, shortenId } from '../output/human.ts';
import { LIST_FLAGS, printList } from '../output/print-list.ts';
import { parseFilters } from './ps-filters.ts';

/** As much of a command as a row has room for, as podman cuts it. */
const COMMAND_LENGTH = 17;

/** `wardian ps`. */
export const ps = defineCommand(
  {
    name: 'ps',
    operands: '',
    maximumOperands: 0,
    summary: 'list containers',
    flags: {
      all: { short: 'a', help: 'those that have ended, too' },
      filter: {
        short: 'f',
        value: 'KEY=VALUE',
        repeated: true,
        help: 'by name, id, status, label or exited',
      },
      'no-trunc': { help: 'show ids and commands in full' },
      ...LIST_FLAGS,
    },
    examples: ['wardian ps -a', "wardian ps --filter status=exited --format '{{.Names}}'"],
  },
  async ({ flags }, context) => {
    const filters = parseFilters(flags.filter);
    const all = flags.all || filters.wantsEnded;
    const { containers } = await withSandboxer(context, (client) => client.call('list', { all }));
    const nowMs = Date.now();
    const isLong = flags['no-trunc'];
    await printList(
      context,
      {
        items: containers.filter(filters.matches),
        columns: [
          ['CONTAINER ID', ({ id }) => (isLong ? id : shortenId(id))],
          ['IMAGE', ({ image }) => image],
          ['COMMAND', ({ command }) => formatCommand(command, isLong)],
          ['CREATED', ({ createdAtMs }) => formatAge(createdAtMs, nowMs)],
          ['STATUS', (container) => formatStatus(container, nowMs)],
          ['PORTS', () => ''],
          ['NAMES', ({ name }) => name],
        ],
        toRecord: (container) => toRecord(container, nowMs),
        toTexts: ({ id, name, command, labels }) => ({
          ID: isLong ? id : shortenId(id),
          Names: name,
          Command: formatCommand(command, isLong),
          Labels: Object.entries(labels)
            .map(([key, value]) => `${key}=${value}`)
            .join(','),
        }),
        toId: ({ id }) => (isLong ? id : shortenId(id)),
      },
      flags,
    );
    return 0;
  },
);

function formatCommand(command: readonly string[], isLong: boolean): string {
  const text = command.join(' ').replace(/\s+/g, ' ');
  return isLong || text.length <= COMMAND_LENGTH ? text : `${text.slice(0, COMMAND_LENGTH)}...`;
}

/** "Up 5 minutes ago", "Exited (0) 2 hours ago", "Created". */
function formatStatus(container: ContainerSummary, nowMs: number): string {
  const { status, startedAtMs, finishedAtMs, exitCode } = container;
  if (status === 'created') return 'Created';
  if (status === 'running') return `Up ${formatAge(startedAtMs ?? nowMs, nowMs)}`;
  return `Exited (${exitCode ?? 0}) ${formatAge(finishedAtMs ?? nowMs, nowMs)}`;
}

function toRecord(container: ContainerSummary, nowMs: number): object {
  return {
    Id: container.id,
    ID: shortenId(container.id),
    Names: [container.name],
    Image: container.image,
    Command: container.command,
    Created: Math.floor(container.createdAtMs / 1000),
    CreatedAt: formatTime(container.createdAtMs),
    StartedAt: Math.floor((container.startedAtMs ?? 0) / 1000),
    Exited: container.status === 'exited',
    ExitedAt: Math.floor((container.finishedAtMs ?? 0) / 1000),
    ExitCode: container.exitCode ?? 0,
    Labels: container.labels,
    Ports: '',
    State: container.status,
    Status: formatStatus(container, nowMs),
  };
}
