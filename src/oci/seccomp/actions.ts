import { SECCOMP_ACTIONS, type SeccompAction } from '../runtime-spec/types.ts';
import { invalid, unsupported } from '../translate/unsupported.ts';

/** linux/seccomp.h: what a filter returns. */
export const SECCOMP_RETURN = {
  KILL_PROCESS: 0x80000000,
  KILL_THREAD: 0x00000000,
  TRAP: 0x00030000,
  ERRNO: 0x00050000,
  TRACE: 0x7ff00000,
  LOG: 0x7ffc0000,
  ALLOW: 0x7fff0000,
} as const;

export const ERRNO = { EPERM: 1, ENOSYS: 38, EAFNOSUPPORT: 97 } as const;

const VALUES: Readonly<Record<SeccompAction, number | undefined>> = {
  SCMP_ACT_ALLOW: SECCOMP_RETURN.ALLOW,
  SCMP_ACT_ERRNO: SECCOMP_RETURN.ERRNO,
  // As libseccomp has it: the thread, unless the process is named.
  SCMP_ACT_KILL: SECCOMP_RETURN.KILL_THREAD,
  SCMP_ACT_KILL_PROCESS: SECCOMP_RETURN.KILL_PROCESS,
  SCMP_ACT_KILL_THREAD: SECCOMP_RETURN.KILL_THREAD,
  SCMP_ACT_LOG: SECCOMP_RETURN.LOG,
  SCMP_ACT_TRAP: SECCOMP_RETURN.TRAP,
  // Without a tracer, which may be a debugger in the container, the call fails with ENOSYS.
  SCMP_ACT_TRACE: SECCOMP_RETURN.TRACE,
  SCMP_ACT_NOTIFY: undefined,
};

/** The actions that are carried out. */
export const SUPPORTED_ACTIONS: readonly SeccompAction[] = SECCOMP_ACTIONS.filter(
  (action) => VALUES[action] !== undefined,
);

/** The value that a filter returns for an action; `path` is its place in the specification. */
export function actionValue(
  action: SeccompAction,
  errno: number | undefined,
  path: string,
): number {
  const value = VALUES[action];
  if (value === undefined) {
    throw unsupported(
      path,
      `${action} needs a supervisor beside the container, which a sandbox has not`,
    );
  }
  if (action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE') {
    return value | (errno ?? ERRNO.EPERM);
  }
  if (errno === undefined) return value;
  throw invalid(path, `is ${action}, which returns no errno, and has one beside it`);
}

export function errnoValue(errno: number): number {
  return SECCOMP_RETURN.ERRNO | errno;
}
