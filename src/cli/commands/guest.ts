import { existsSync } from 'node:fs';
import path from 'node:path';
import { runProgram } from '../../host/run-program.ts';
import { loadDriver } from '../../hypervisor/registry.ts';
import { WardianError } from '../../util/errors.ts';
import type { CommandContext } from '../command.ts';
import { type DescribedCommand, defineCommand } from '../define-command.ts';
import { dispatch } from '../dispatch.ts';
import { formatAge, formatSize } from '../output/human.ts';
import { LIST_FLAGS, printList } from '../output/print-list.ts';
import { writeJson, writeText } from '../output/write-text.ts';

const WHAT = ['kernel', 'qemu', 'all'];
const ACCELERATORS = ['tcg', 'kvm', 'all'];

/** As scripts/guest prints it. */
interface BuildRecord {
  readonly name: string;
  readonly key: string;
  readonly source: string;
  readonly builtAt: string;
  readonly diskBytes: number;
  readonly state: string;
}

const build = defineCommand(
  {
    name: 'guest build',
    operands: '[kernel|qemu|all]',
    maximumOperands: 1,
    summary: "compile our own kernel and QEMU from Debian's sources: smaller and faster",
    flags: {
      accelerator: {
        value: 'NAME',
        help: 'kernels for tcg, kvm or all; without it for the one that this host uses',
      },
    },
    examples: ['wardian guest build', 'wardian guest build kernel --accelerator all'],
  },
  async ({ flags, operands: [what = 'all'] }, context) => {
    requireOneOf('what to build', what, WHAT);
    const { accelerator = await findAccelerator(context) } = flags;
    requireOneOf('--accelerator', accelerator, ACCELERATORS);
    const { exitCode } = await runScript(context, ['build', what, accelerator]);
    return exitCode;
  },
);

const ls = defineCommand(
  {
    name: 'guest ls',
    operands: '',
    maximumOperands: 0,
    summary: 'list what was built',
    flags: LIST_FLAGS,
  },
  async ({ flags }, context) => {
    const builds = await readRecords(context, 'list');
    const nowMs = Date.now();
    await printList(
      context,
      {
        items: builds,
        columns: [
          ['NAME', ({ name }) => name],
          ['KEY', ({ key }) => key],
          ['SOURCE', ({ source }) => source],
          ['BUILT', ({ builtAt }) => (builtAt === '' ? '' : formatAge(Date.parse(builtAt), nowMs))],
          ['DISK', ({ diskBytes }) => formatSize(diskBytes)],
          ['STATE', ({ state }) => state],
        ],
        toRecord: toJsonRecord,
        toId: ({ key }) => key,
      },
      flags,
    );
    return 0;
  },
);

const prune = defineCommand(
  {
    name: 'guest prune',
    operands: '',
    maximumOperands: 0,
    summary: 'remove builds that are outdated or were never finished',
    flags: {
      all: { short: 'a', help: 'every one; guest build makes them of the newest sources' },
      json: { help: 'print JSON' },
    },
  },
  async ({ flags }, context) => {
    const removed = await readRecords(context, 'prune', flags.all ? ['all'] : []);
    if (flags.json) await writeJson(context.stdout, removed.map(toJsonRecord));
    else
      await writeText(context.stdout, removed.map(({ name, key }) => `${name}-${key}\n`).join(''));
    return 0;
  },
);

function toJsonRecord({ name, key, source, builtAt, diskBytes, state }: BuildRecord) {
  return { Name: name, Key: key, Source: source, Built: builtAt, Disk: diskBytes, State: state };
}

function requireOneOf(what: string, value: string, known: readonly string[]): void {
  if (known.includes(value)) return;
  throw new WardianError('USAGE', `${what} cannot be ${JSON.stringify(value)}`, {
    hint: `it is one of: ${known.join(', ')}`,
  });
}

async function findAccelerator(context: CommandContext): Promise<string> {
  const { directories, environment, sandboxerPath } = context;
  const { choice } = await loadDriver('qemu', {
    launcherPath: path.join(path.dirname(sandboxerPath), 'launcher'),
    cacheDirectory: directories.cache,
    diskDirectories: [],
    accelerator: environment['WARDIAN_ACCEL'],
  });
  return choice.accelerator;
}

async function readRecords(
  context: CommandContext,
  verb: string,
  more: readonly string[] = [],
): Promise<BuildRecord[]> {
  const { exitCode, output } = await runScript(context, [verb, ...more], true);
  if (exitCode === 0) return JSON.parse(output) as BuildRecord[];
  throw new WardianError('INTERNAL', `scripts/guest/main.ts ${verb} ended with ${exitCode}`);
}

/** Compilers are driven by the checkout's scripts, which are in no bundle. */
async function runScript(
  { sandboxerPath, signals }: CommandContext,
  arguments_: readonly string[],
  captures = false,
): Promise<{ exitCode: number; output: string }> {
  const root = path.resolve(
    path.dirname(sandboxerPath),
    sandboxerPath.endsWith('.ts') ? '../..' : '..',
  );
  const script = path.join(root, 'scripts/guest/main.ts');
  if (!existsSync(script)) {
    throw new WardianError('HOST_SETUP_MISSING', `${script} is not there`, {
      hint: 'guests are built in a checkout of Wardian: run the wardian of one',
    });
  }
  // A path of its own, since node looks for packages beside the folder that it is started in.
  const loader = path.join(root, 'node_modules/tsx/dist/loader.mjs');
  return runProgram([process.execPath, '--import', loader, script, ...arguments_], {
    signals,
    captures,
  });
}

const children: readonly DescribedCommand[] = [build, ls, prune];

/** `wardian guest`: its subcommands. */
export const guest: DescribedCommand = Object.assign(
  (arguments_: string[], context: CommandContext) => dispatch(guest, arguments_, context),
  {
    spec: {
      name: 'guest',
      operands: 'COMMAND',
      summary: 'build the kernel and QEMU of sandboxes, list or prune what was built',
      flags: {},
    },
    children,
  },
);
