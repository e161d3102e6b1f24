import type { CommandSpec } from '../arguments/spec.ts';
import { PROCESS_FLAGS } from './process-flags.ts';

const NOT_YET = 'this version has no such thing yet';

/** The words of `wardian run`. */
export const runSpec = {
  name: 'run',
  operands: 'IMAGE [COMMAND [ARG...]]',
  minimumOperands: 1,
  summary: 'run a command in a new container',
  stopAtOperand: true,
  completes: 'image',
  flags: {
    ...PROCESS_FLAGS,
    detach: { short: 'd', help: 'leave it running in the background and print its id' },
    rm: { help: 'remove the container when it has ended' },
    name: { value: 'NAME', help: 'a name for the container' },
    entrypoint: { value: 'COMMAND', help: "replaces the image's: a word or a JSON list" },
    hostname: { short: 'h', value: 'NAME', help: 'host name in the container' },
    cpus: { value: 'NUMBER', help: 'how many CPUs it may use, as in 1.5' },
    memory: { short: 'm', value: 'SIZE', help: 'how much memory it may use, as in 512m' },
    'pids-limit': { value: 'NUMBER', help: 'how many processes it may have (-1: any number)' },
    'read-only': { help: 'make its root filesystem read-only' },
    tmpfs: { value: 'PATH[:OPTIONS]', repeated: true, help: 'mount a tmpfs there' },
    network: { alias: 'net', value: 'MODE', help: 'its network: only none for now' },
    label: { short: 'l', value: 'NAME=VALUE', repeated: true, help: 'a label' },
    'label-file': { value: 'FILE', repeated: true, help: 'a file with a label on each line' },
    'stop-signal': { value: 'SIGNAL', help: 'what asks it to stop (default TERM)' },
    guest: {
      value: 'KIND',
      choices: ['distro', 'mini'],
      help: 'run it on the kernel of the distribution, or on the one that was built',
    },
    'no-template': { help: 'boot its sandbox instead of cloning one' },
    trace: { help: 'say on standard error how long each phase took' },
    'trace-file': { value: 'FILE', help: 'write that to a file, as JSON' },
    'sig-proxy': { initially: true, help: 'pass signals on to it (not with a terminal)' },
  },
  refused: {
    '--init': 'the guest has an init already, which reaps what the container leaves behind',
    '-v': NOT_YET,
    '--volume': NOT_YET,
    '--mount': NOT_YET,
    '-p': NOT_YET,
    '--publish': NOT_YET,
    '--device': NOT_YET,
    '--privileged': NOT_YET,
    '--cap-add': NOT_YET,
    '--cap-drop': NOT_YET,
    '--pod': 'every container has a sandbox of its own for now',
    '--pull': 'there is no registry client yet: see wardian load',
    '--restart': NOT_YET,
  },
  examples: [
    'wardian run --rm busybox echo hello',
    'wardian run --rm -it busybox sh',
    'tar c . | wardian run --rm -i busybox tar t',
  ],
} as const satisfies CommandSpec;
