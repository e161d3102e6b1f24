import { WardianError } from '../../util/errors.ts';
import type { GuestProcess } from '../guest-operations.ts';
import type { Process, Spec } from '../runtime-spec/types.ts';
import { translateProcess } from '../translate/translate-process.ts';
import { resolveUser, type UserDatabase } from '../user-database.ts';
import { capabilitiesOf, consoleSize, resolveWorkingDirectory } from './build-spec.ts';
import type { ExecRequest } from './container-input.ts';
import { checkAssignments, mergeEnvironment } from './environment.ts';

/**
 * One more process for a running container: its own command, terminal and user; limits, umask, seccomp and
 * environment are those of the container. Fails with USAGE or USER_NOT_FOUND.
 */
export function buildExecProcess(
  container: Spec,
  request: ExecRequest,
  users: UserDatabase,
): GuestProcess {
  if (request.command.length === 0 || request.command[0] === '') {
    throw new WardianError('USAGE', 'no command to run in the container');
  }
  const first: Process = container.process ?? { cwd: '/' };
  const { consoleSize: _, ...inherited } = first;
  const process: Process = {
    ...inherited,
    ...userPart(first, request, users),
    ...consoleSize(request.terminalSize),
    terminal: request.terminal,
    args: [...request.command],
    cwd: resolveWorkingDirectory(request.workingDirectory ?? '', first.cwd),
  };
  return translateProcess(process, {
    stdin: request.interactive,
    seccomp: container.linux?.seccomp,
    personality: container.linux?.personality,
    isExec: true,
  });
}

/** User, environment and capabilities hang together: the user says where HOME is and what root may. */
function userPart(
  first: Process,
  request: ExecRequest,
  users: UserDatabase,
): Pick<Process, 'user' | 'env' | 'capabilities'> {
  const terminal = request.terminal ? ['TERM=xterm'] : [];
  const asked = checkAssignments(request.env);
  const inherited = first.env ?? [];
  const unchanged = {
    env: mergeEnvironment(terminal, inherited, asked),
    capabilities: first.capabilities ?? {},
  };
  if (request.user === undefined) return { ...unchanged, user: first.user ?? {} };
  const { home, ...ids } = resolveUser(request.user, users);
  return {
    user: { ...first.user, ...ids },
    env: mergeEnvironment(terminal, inherited, [`HOME=${home}`], asked),
    capabilities: capabilitiesOf(ids.uid, first.capabilities?.bounding ?? []),
  };
}
