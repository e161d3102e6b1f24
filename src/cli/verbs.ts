import type { Command } from './command.ts';

export interface Verb {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly summary: string;
  /** Loads the command: only the verb that is used costs start-up time. */
  load(): Promise<Command>;
}

/** Every verb, in the order of the help text. */
export const VERBS: readonly Verb[] = [
  {
    name: 'run',
    summary: 'run a command in a new container',
    load: async () => (await import('./commands/run.ts')).run,
  },
  {
    name: 'exec',
    summary: 'run another command in a running container',
    load: async () => (await import('./commands/exec.ts')).exec,
  },
  {
    name: 'ps',
    aliases: ['list'],
    summary: 'list containers',
    load: async () => (await import('./commands/ps.ts')).ps,
  },
  {
    name: 'logs',
    summary: 'show what a container has written',
    load: async () => (await import('./commands/logs.ts')).logs,
  },
  {
    name: 'attach',
    summary: "join a running container's standard streams",
    load: async () => (await import('./commands/attach.ts')).attach,
  },
  {
    name: 'stop',
    summary: 'end containers, gently first',
    load: async () => (await import('./commands/stop.ts')).stop,
  },
  {
    name: 'kill',
    summary: 'send a signal to containers',
    load: async () => (await import('./commands/kill.ts')).kill,
  },
  {
    name: 'rm',
    summary: 'remove containers',
    load: async () => (await import('./commands/rm.ts')).rm,
  },
  {
    name: 'wait',
    summary: 'wait until containers end and print their exit codes',
    load: async () => (await import('./commands/wait.ts')).wait,
  },
  {
    name: 'inspect',
    summary: 'show everything about containers or images',
    load: async () => (await import('./commands/inspect.ts')).inspect,
  },
  {
    name: 'images',
    summary: 'list images',
    load: async () => (await import('./commands/images.ts')).images,
  },
  {
    name: 'load',
    summary: 'take an image from an archive or folder',
    load: async () => (await import('./commands/load.ts')).load,
  },
  {
    name: 'rmi',
    summary: 'remove images',
    load: async () => (await import('./commands/rmi.ts')).rmi,
  },
  {
    name: 'template',
    summary: 'list, make or prune the templates that sandboxes are cloned from',
    load: async () => (await import('./commands/template.ts')).template,
  },
  {
    name: 'ksm',
    summary: 'let the kernel merge equal pages of sandboxes, or say what that does',
    load: async () => (await import('./commands/ksm.ts')).ksm,
  },
  {
    name: 'guest',
    summary: 'build the kernel and QEMU of sandboxes, list or prune what was built',
    load: async () => (await import('./commands/guest.ts')).guest,
  },
  {
    name: 'check',
    summary: 'say what this host can do, what not, and the remedy',
    load: async () => (await import('./commands/check.ts')).check,
  },
  {
    name: 'info',
    summary: 'show the state of Wardian on this host',
    load: async () => (await import('./commands/info.ts')).info,
  },
  {
    name: 'version',
    summary: 'show versions',
    load: async () => (await import('./commands/version.ts')).version,
  },
  {
    name: 'completion',
    summary: 'print a completion script for bash, zsh or fish',
    load: async () => (await import('./commands/completion.ts')).completion,
  },
  {
    name: 'help',
    summary: 'explain a command',
    load: async () => (await import('./commands/help.ts')).help,
  },
];

export function findVerb(name: string): Verb | undefined {
  return VERBS.find((verb) => verb.name === name || verb.aliases?.includes(name));
}
