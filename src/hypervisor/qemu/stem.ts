import { closeSync, openSync } from 'node:fs';
import path from 'node:path';
import { requestFork } from '../../host/launcher.ts';
import { identifyProcess, type ProcessIdentity } from '../../host/process-identity.ts';
import { WardianError } from '../../util/errors.ts';
import { CONSOLE_LOG } from '../driver.ts';
import { INHERITED_FD } from './arguments.ts';
import { buildHostSide, type HostSide } from './host-side.ts';
import { VMM_LOG } from './machine-log.ts';
import { AGENT_SOCKET, type Confinement, openLog, QMP_SOCKET } from './process.ts';
import { type Replaced, STEM_FDS, STEM_SOCKET } from './replaced.ts';

export interface QemuFork {
  readonly launcherPath: string;
  /** Of the machine to be. */
  readonly directory: string;
  readonly stemDirectory: string;
  readonly replaced: Replaced;
  readonly hostSide: HostSide;
  readonly confinement: Confinement | undefined;
}

/** Has a stem fork a machine; when this resolves the machine has its sockets and runs. */
export async function forkQemu(request: QemuFork): Promise<ProcessIdentity> {
  const { launcherPath, directory, replaced } = request;
  const opened: number[] = [];
  const own = (fd: number): number => {
    opened.push(fd);
    return fd;
  };
  try {
    const vmmLog = own(openLog(directory, VMM_LOG));
    const console = own(openLog(directory, CONSOLE_LOG));
    // What a clone gets as its console, memory and state, a fork has from its stem; the share is the launcher's to open.
    const nothing = own(openSync('/dev/null', 'r'));
    const image = own(openSync(replaced.imagePath, 'r'));
    const inheritedFds = [nothing, nothing, nothing, nothing, image, console];
    const argv = buildForkArguments(request);
    const pid = await requestFork({ launcherPath, argv, outputFd: vmmLog, inheritedFds });
    const identity = identifyProcess(pid);
    if (identity !== undefined) return identity;
    throw new WardianError('SANDBOX_DIED', `the machine forked as process ${pid} has ended`);
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

/** The launcher's command line; pure, so that a test can read it. */
export function buildForkArguments(fork: QemuFork): string[] {
  const { directory, stemDirectory, confinement, hostSide } = fork;
  const user = confinement?.user;
  return [
    'fork',
    // Who looks for a machine's processes looks for its folder, and would find the stem's in a fork.
    ...['--control', path.join(stemDirectory, STEM_SOCKET), '--title', `${directory}/`],
    ...['--socket', `${INHERITED_FD.qmp}=${path.join(directory, QMP_SOCKET)}`],
    ...['--socket', `${INHERITED_FD.agent}=${path.join(directory, AGENT_SOCKET)}`],
    ...STEM_FDS.flatMap((fd) => ['--keep', String(fd)]),
    ...buildHostSide(hostSide),
    ...(confinement === undefined ? [] : ['--isolate']),
    ...(user === undefined ? [] : ['--user', String(user.uid), '--group', String(user.gid)]),
  ];
}
