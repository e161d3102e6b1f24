import { posix } from 'node:path';
import { capabilityMask } from '../capabilities.ts';
import type { GuestCapabilities, GuestProcess } from '../guest-operations.ts';
import type { Process, ProcessCapabilities, Seccomp } from '../runtime-spec/types.ts';
import { encodeProgram } from '../seccomp/bpf.ts';
import { compileSeccomp, seccompFlags } from '../seccomp/compile.ts';
import { translateRlimits } from './rlimits.ts';
import { invalid, unsupported } from './unsupported.ts';

export interface ProcessSurroundings {
  /** Keep stdin open; otherwise the process reads /dev/null. */
  stdin: boolean;
  /** linux.seccomp of the container. */
  seccomp: Seccomp | undefined;
}

/** Turns a process, a container's first or a later one, into the agent's form. */
export function translateProcess(
  described: Process,
  { stdin, seccomp }: ProcessSurroundings,
): GuestProcess {
  checkSupported(described);
  const user = described.user ?? {};
  return {
    args: checkArguments(described.args ?? []),
    env: described.env ?? [],
    cwd: posix.normalize(described.cwd),
    terminal: described.terminal ?? false,
    rows: described.consoleSize?.height ?? 0,
    columns: described.consoleSize?.width ?? 0,
    stdin,
    uid: user.uid ?? 0,
    gid: user.gid ?? 0,
    additionalGids: user.additionalGids ?? [],
    ...(user.umask === undefined ? {} : { umask: user.umask }),
    capabilities: translateCapabilities(described.capabilities ?? {}),
    rlimits: translateRlimits(described.rlimits ?? []),
    noNewPrivileges: described.noNewPrivileges ?? false,
    ...(described.oomScoreAdj === undefined ? {} : { oomScoreAdjust: described.oomScoreAdj }),
    seccompFilter: seccomp === undefined ? new Uint8Array() : compileOnce(seccomp),
    seccompFlags: seccomp === undefined ? 0 : seccompFlags(seccomp),
  };
}

/** Every exec of a container needs the filter of its first process again. */
const compiled = new WeakMap<Seccomp, Uint8Array>();

function compileOnce(seccomp: Seccomp): Uint8Array {
  const filter = compiled.get(seccomp) ?? encodeProgram(compileSeccomp(seccomp));
  compiled.set(seccomp, filter);
  return filter;
}

/**
 * AppArmor profiles and SELinux labels are passed over: they are rules of the host's kernel for
 * processes that in a sandbox run on another.
 */
function checkSupported(process: Process): void {
  const schedulings = ['scheduler', 'ioPriority', 'execCPUAffinity'] as const;
  for (const name of schedulings) {
    if (process[name] === undefined) continue;
    throw unsupported(
      `process.${name}`,
      'the agent does not set scheduling',
      'use linux.resources',
    );
  }
}

function checkArguments(args: string[]): string[] {
  if (args.length === 0) throw invalid('process.args', 'is empty: there is no command to run');
  if (args[0] === '') throw invalid('process.args[0]', 'is an empty word, not a command');
  return args;
}

function translateCapabilities(capabilities: ProcessCapabilities): GuestCapabilities {
  const mask = (set: keyof ProcessCapabilities) =>
    capabilityMask(capabilities[set] ?? [], `process.capabilities.${set}`);
  const masks = {
    bounding: mask('bounding'),
    effective: mask('effective'),
    permitted: mask('permitted'),
    inheritable: mask('inheritable'),
    ambient: mask('ambient'),
  };
  if ((masks.effective & ~masks.permitted) !== 0n) {
    throw invalid('process.capabilities.effective', 'has capabilities that "permitted" has not');
  }
  // The kernel raises no others (capabilities(7)), and engines' own samples ask for more.
  masks.ambient &= masks.permitted & masks.inheritable;
  return masks;
}
