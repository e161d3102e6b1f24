import type { Flag } from './flags.ts';

/** Flags that every verb takes, before and behind it: those of runc 1.1 and of crun 1.8 together. */
export const GLOBAL_FLAGS: readonly Flag[] = [
  { name: 'root', kind: 'text', help: 'folder for the state of containers' },
  { name: 'log', kind: 'text', help: 'file that an error is written to, instead of stderr' },
  { name: 'log-format', kind: 'text', help: 'text or json' },
  { name: 'debug', kind: 'switch', help: 'print where an error came from' },
  {
    name: 'cgroup-manager',
    kind: 'text',
    help: 'cgroupfs, systemd or disabled: how the cgroup on the host is made',
  },
  {
    name: 'systemd-cgroup',
    kind: 'switch',
    help: 'linux.cgroupsPath is SLICE:PREFIX:NAME, as systemd names cgroups',
  },
  {
    name: 'log-level',
    kind: 'text',
    help: 'how much is logged',
    ignored: 'errors are all that is ever logged',
  },
  {
    name: 'rootless',
    kind: 'text',
    help: 'whether the host cgroup may be missing',
    ignored: 'who runs the command is seen from its user id',
  },
  {
    name: 'criu',
    kind: 'text',
    help: 'path of criu',
    ignored: 'virtual machines are saved without it',
  },
  {
    name: 'no-pivot',
    kind: 'switch',
    help: 'do not use pivot_root',
    ignored: 'the root file system is mounted in the guest, where pivot_root always works',
  },
];
