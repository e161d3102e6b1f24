import path from 'node:path';
import { SandboxerClient } from '../../sandboxer/client.ts';
import { GuestPairs } from '../../template/guest-pairs.ts';
import { TemplateCatalog } from '../../template/template-catalog.ts';
import { parseCpus, parseSize } from '../arguments/values.ts';
import type { CommandContext } from '../command.ts';
import { withSandboxer } from '../connect.ts';
import { type DescribedCommand, defineCommand } from '../define-command.ts';
import { dispatch } from '../dispatch.ts';
import { formatAge, formatSize, formatTime, shortenId } from '../output/human.ts';
import { LIST_FLAGS, printList } from '../output/print-list.ts';
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
      guest: { value: 'KIND', choices: ['distro', 'mini'], help: 'as for run' },
      json: { help: 'print JSON' },
    },
  },
  async ({ flags }, context) => {
    const limits = {
      ...(flags.cpus !== undefined && { cpus: parseCpus(flags.cpus) }),
      ...(flags.memory !== undefined && { memoryBytes: parseSize('--memory', flags.memory) }),
    };
    const guest = flags.guest === undefined ? {} : { guest: flags.guest };
    const { key, made } = await withSandboxer(context, (client) =>
      client.call('prepareTemplate', { limits, ...guest }),
    );
    if (flags.json) await writeJson(context.stdout, { Key: key, Made: made });
    else await writeText(context.stdout, `${key}\n`);
    return 0;
  },
);

const ls = defineCommand(
  {
    name: 'template ls',
    operands: '',
    maximumOperands: 0,
    summary: 'list templates',
    flags: LIST_FLAGS,
  },
  async ({ flags }, context) => {
    const catalog = await openCatalog(context);
    const templates = await catalog.list();
    const nowMs = Date.now();
    await printList(
      context,
      {
        items: templates,
        columns: [
          ['KEY', ({ key }) => shortenId(key)],
          ['CPUS', ({ size }) => String(size.cpus)],
          ['MEMORY', ({ size }) => `${size.memoryBytes / 2 ** 20} MiB`],
          ['CREATED', ({ createdAtMs }) => formatAge(createdAtMs, nowMs)],
          ['DISK', ({ diskBytes }) => formatSize(diskBytes)],
          ['STATE', ({ isCurrent }) => (isCurrent ? 'current' : 'outdated')],
        ],
        toRecord: ({ key, size, createdAtMs, diskBytes, isCurrent }) => ({
          Key: key,
          Cpus: size.cpus,
          Memory: size.memoryBytes,
          Created: formatTime(createdAtMs),
          Disk: diskBytes,
          Current: isCurrent,
        }),
        toId: ({ key }) => key,
      },
      flags,
    );
    return 0;
  },
);

const prune = defineCommand(
  {
    name: 'template prune',
    operands: '',
    maximumOperands: 0,
    summary: 'remove templates that nothing will use again',
    flags: {
      all: { short: 'a', help: 'every one; they are made again when they are needed' },
      json: { help: 'print JSON' },
    },
  },
  async ({ flags }, context) => {
    const catalog = await openCatalog(context);
    const keys = await catalog.prune({ all: flags.all });
    await drainPool(context);
    if (flags.json) await writeJson(context.stdout, keys);
    else await writeText(context.stdout, keys.map((key) => `${key}\n`).join(''));
    return 0;
  },
);

/** Machines that wait were cloned from a template, too. A sandboxer that does not run has none. */
async function drainPool(context: CommandContext): Promise<void> {
  const client = await SandboxerClient.connectIfRunning(context);
  try {
    await client?.call('drainPool', {});
  } finally {
    client?.close();
  }
}

/** The cache of templates needs no sandboxer to be looked at; one is outdated that no pair of kernel and VMM has. */
async function openCatalog({
  directories,
  environment,
  sandboxerPath,
}: CommandContext): Promise<TemplateCatalog> {
  const pairs = await GuestPairs.open({
    cacheDirectory: directories.cache,
    runtimeDirectory: directories.runtime,
    launcherPath: path.join(path.dirname(sandboxerPath), 'launcher'),
    diskDirectories: [],
    accelerator: environment['WARDIAN_ACCEL'],
    preference: 'auto',
  });
  const generations = await pairs.listGenerations();
  return new TemplateCatalog({ cacheDirectory: directories.cache, generations });
}

const children: readonly DescribedCommand[] = [ls, create, prune];

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
