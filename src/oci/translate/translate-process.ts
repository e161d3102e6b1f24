import { posix } from 'node:path';
import { knownCapabilities } from '../capabilities.ts';
import type { GuestCapabilities, GuestProcess } from '../guest-operations.ts';
import type { Linux, Process, ProcessCapabilities, Seccomp } from '../runtime-spec/types.ts';
import { encodeProgram } from '../seccomp/bpf.ts';
import { compileSeccomp, seccompFlags } from '../seccomp/compile.ts';
import { translateRlimits } from './rlimits.ts';
import { translatePersonality, translateScheduling } from './scheduling.ts';
import { invalid } from './unsupported.ts';

export interface ProcessSurroundings {
  /** Keep stdin open; otherwise the process reads /dev/null. */
  stdin: boolean;
  /** linux.seccomp of the container. */
  seccomp: Seccomp | undefined;
  /** linux.personality of the container. */
  personality?: Linux['personality'];
  /** It is not the container's first process. Default: false. */
  isExec?: boolean;
}

/**
 * Turns a process, a container's first or a later one, into the agent's form. AppArmor profiles and SELinux labels are
 * passed over: they are rules of the host's kernel for processes that in a sandbox run on another.
 */
export function translateProcess(
  described: Process,
  { stdin, seccomp, personality, isExec = false }: ProcessSurroundings,
): GuestProcess {
  const user = described.user ?? {};
  const env = described.env ?? [];
  return {
    args: checkArguments(described.args ?? []),
    env,
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
    ...translateScheduling(described, isExec),
    ...translatePersonality(personality),
    // As every runtime does where the engine has left it to it.
    findHome: !env.some((assignment) => assignment.startsWith('HOME=')),
  };
}

/** Every exec of a container needs the filter of its first process again. */
const compiled = new WeakMap<Seccomp, Uint8Array>();

function compileOnce(seccomp: Seccomp): Uint8Array {
  const filter = compiled.get(seccomp) ?? encodeProgram(compileSeccomp(seccomp));
  compiled.set(seccomp, filter);
  return filter;
}

function checkArguments(args: string[]): string[] {
  if (args.length === 0) throw invalid('process.args', 'is empty: there is no command to run');
  if (args[0] === '') throw invalid('process.args[0]', 'is an empty word, not a command');
  return args;
}

/**
 * What the kernel cannot grant is left out, and so are names that it does not know: a runtime should not fail for them
 * (config, "Linux Process"), and engines' own samples ask for more than there is.
 */
function translateCapabilities(capabilities: ProcessCapabilities): GuestCapabilities {
  const mask = (set: keyof ProcessCapabilities) => knownCapabilities(capabilities[set] ?? []);
  const bounding = mask('bounding');
  const permitted = mask('permitted');
  // capabilities(7): nothing beyond these is inherited, raised or kept.
  const inheritable = mask('inheritable') & bounding;
  return {
    ...{ bounding, permitted, inheritable },
    effective: mask('effective') & permitted,
    ambient: mask('ambient') & permitted & inheritable,
  };
}
