import type { Flag } from './flags.ts';

/** What a verb takes behind its name. */
export interface VerbUsage {
  readonly flags: readonly Flag[];
  /** Names of operands; in brackets when it may be left out, with dots when more may follow. */
  readonly operands: readonly string[];
  /** The verb ends in a command of the container, whose flags are not ours: ours end at the first operand. */
  readonly endsInCommand?: boolean;
  readonly summary: string;
}

const BUNDLE: Flag = { name: 'bundle', short: 'b', kind: 'text', help: 'folder with config.json' };
const PID_FILE: Flag = { name: 'pid-file', kind: 'text', help: 'file that gets the process id' };
const CONSOLE_SOCKET: Flag = {
  name: 'console-socket',
  kind: 'text',
  help: 'unix socket that gets the terminal',
};
const DETACH: Flag = { name: 'detach', short: 'd', kind: 'switch', help: 'return after the start' };
const PRESERVE_FDS: Flag = {
  name: 'preserve-fds',
  kind: 'number',
  help: 'descriptors for the process; only 0 can be done',
};
const NO_SUBREAPER: Flag = {
  name: 'no-subreaper',
  kind: 'switch',
  help: 'do not become a subreaper',
  ignored: 'this command never becomes one',
};
const FORMAT: Flag = { name: 'format', short: 'f', kind: 'text', help: 'table or json' };
const ALL: Flag = {
  name: 'all',
  short: 'a',
  kind: 'switch',
  help: 'send it to every process of the container',
};
const LABELS: readonly Flag[] = [
  {
    name: 'process-label',
    kind: 'text',
    help: 'SELinux label',
    ignored: "labels are of the host's policy, and the process is not on the host",
  },
  {
    name: 'apparmor',
    kind: 'text',
    help: 'AppArmor profile',
    ignored: "profiles are of the host's policy, and the process is not on the host",
  },
];

const CREATE: readonly Flag[] = [
  BUNDLE,
  { name: 'config', short: 'f', kind: 'text', help: 'file to read instead of config.json' },
  CONSOLE_SOCKET,
  PID_FILE,
  PRESERVE_FDS,
  NO_SUBREAPER,
  {
    name: 'no-new-keyring',
    kind: 'switch',
    help: 'share the session keyring',
    ignored: "there is no keyring of the host's in the guest",
  },
];

const number = (name: string, help: string, ignored?: string): Flag => ({
  name,
  kind: 'number',
  help,
  ...(ignored !== undefined && { ignored }),
});
const text = (name: string, help: string): Flag => ({ name, kind: 'text', help });

/** Flags of `update`, as runc 1.1 has them. */
const UPDATE: readonly Flag[] = [
  { name: 'resources', short: 'r', kind: 'text', help: 'file with linux.resources, - for stdin' },
  number('blkio-weight', 'share of disk bandwidth, 10 to 1000'),
  number('cpu-period', 'microseconds'),
  number('cpu-quota', 'microseconds in each period'),
  number('cpu-burst', 'microseconds'),
  number('cpu-share', 'share of processor time'),
  number('cpu-rt-period', 'microseconds'),
  number('cpu-rt-runtime', 'microseconds'),
  number('cpu-idle', '1: only when nothing else runs'),
  text('cpuset-cpus', 'processors'),
  text('cpuset-mems', 'memory nodes'),
  text('memory', 'bytes'),
  text('memory-reservation', 'bytes'),
  text('memory-swap', 'bytes of memory and swap together'),
  number('pids-limit', 'most processes'),
  {
    ...text('kernel-memory', 'bytes'),
    ignored: 'the kernel has no such limit any more',
  },
  {
    ...text('kernel-memory-tcp', 'bytes'),
    ignored: 'the kernel has no such limit any more',
  },
  text('l3-cache-schema', 'shares of the third cache'),
  text('mem-bw-schema', 'shares of memory bandwidth'),
];

/** Every verb's command line: what runc 1.1 and crun 1.8 take. */
export const VERB_USAGES = {
  create: {
    flags: CREATE,
    operands: ['ID'],
    summary: 'make a container, which waits for its start',
  },
  start: { flags: [], operands: ['ID'], summary: 'run the process of a container that was made' },
  state: { flags: [], operands: ['ID'], summary: 'print the state of a container as JSON' },
  kill: {
    flags: [ALL],
    operands: ['ID', '[SIGNAL]'],
    summary: 'send a signal, TERM unless another is named',
  },
  delete: {
    flags: [{ name: 'force', short: 'f', kind: 'switch', help: 'kill it first if it still runs' }],
    operands: ['ID'],
    summary: 'remove what is left of a container',
  },
  run: {
    flags: [
      ...CREATE,
      DETACH,
      { name: 'keep', kind: 'switch', help: 'do not delete it when it has ended' },
    ],
    operands: ['ID'],
    summary: 'create and start; wait for its end, and delete',
  },
  exec: {
    flags: [
      { name: 'process', short: 'p', kind: 'text', help: 'file with the process as JSON' },
      { name: 'env', short: 'e', kind: 'list', help: 'NAME=VALUE' },
      { name: 'user', short: 'u', kind: 'text', help: 'UID[:GID]' },
      { name: 'cwd', kind: 'text', help: 'working directory in the container' },
      { name: 'cap', short: 'c', kind: 'list', help: 'a capability to add' },
      { name: 'additional-gids', short: 'g', kind: 'list', help: 'a group id to add' },
      { name: 'tty', short: 't', kind: 'switch', help: 'give it a terminal' },
      { name: 'no-new-privs', kind: 'switch', help: 'it cannot gain privileges' },
      { name: 'ignore-paused', kind: 'switch', help: 'let it wait in a paused container' },
      {
        name: 'cgroup',
        kind: 'text',
        help: 'a cgroup below that of the container',
        ignored: "processes are limited in the guest, where each is in the container's cgroup",
      },
      ...LABELS,
      CONSOLE_SOCKET,
      DETACH,
      PID_FILE,
      PRESERVE_FDS,
      NO_SUBREAPER,
    ],
    operands: ['ID', '[COMMAND...]'],
    endsInCommand: true,
    summary: 'run one more process in a container',
  },
  ps: {
    flags: [FORMAT],
    operands: ['ID', '[PS-OPTION...]'],
    endsInCommand: true,
    summary: "list a container's processes on the host",
  },
  list: {
    flags: [FORMAT, { name: 'quiet', short: 'q', kind: 'switch', help: 'ids alone' }],
    operands: [],
    summary: 'list containers',
  },
  pause: { flags: [], operands: ['ID'], summary: 'freeze every process of a container' },
  resume: { flags: [], operands: ['ID'], summary: 'let them go on' },
  update: { flags: UPDATE, operands: ['ID'], summary: 'change limits of a container' },
  events: {
    flags: [
      { name: 'stats', kind: 'switch', help: 'print the statistics once' },
      { name: 'interval', kind: 'text', help: 'time between statistics: 5s' },
    ],
    operands: ['ID'],
    summary: 'print statistics and events as lines of JSON',
  },
  features: { flags: [], operands: [], summary: 'print what this runtime can do as JSON' },
  spec: {
    flags: [BUNDLE, { name: 'rootless', kind: 'switch', help: 'for a user who is not root' }],
    operands: [],
    summary: 'write a config.json to begin with',
  },
} as const satisfies Record<string, VerbUsage>;

export type VerbName = keyof typeof VERB_USAGES;
