import { mkdirSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { writeEngineRootfs } from './engine-image.ts';
import type { EngineRoom } from './engine-room.ts';

/** Programs that Slurm needs here, for `reasonToSkipEngine`. */
export const SLURM_PROGRAMS = ['slurmctld', 'slurmd', 'srun', 'sinfo', 'munged'];

const CONFIGURATION_FOLDER = '/run/slurm';
const MUNGE_SOCKET = '/run/munge/socket';
const START_TIMEOUT_MS = 30_000;
const POLL_MS = 200;
/** Fresh random bytes are as good as any key in a room of one machine. */
const MUNGE_KEY_BYTES = 1024;

/** Slurm's controller and one node in a room, whose containers run by our runtime. */
export async function startSlurm(room: EngineRoom): Promise<void> {
  await prepareFolders(room);
  room.environment['SLURM_CONF'] = path.join(CONFIGURATION_FOLDER, 'slurm.conf');
  await startMunge(room);
  room.startDaemon(['slurmctld', '-D'], 'slurmctld');
  room.startDaemon(['slurmd', '-D', '-N', hostname()], 'slurmd');
  for (const deadline = Date.now() + START_TIMEOUT_MS; ; await delay(POLL_MS)) {
    const { stdout } = await room.run(['sinfo', '--noheader', '--format', '%T']);
    if (stdout.trim() === 'idle') return;
    if (Date.now() > deadline) {
      const logs = ['slurmctld', 'slurmd', 'munged'].map((name) => room.readDaemonLog(name));
      throw new Error(`Slurm's node is ${JSON.stringify(stdout)}: ${logs.join('\n')}`);
    }
  }
}

/** Slurm looks its own host's name up, which not every machine knows, and no address at all where there is only a loopback. */
async function nameHost(room: EngineRoom, source: string): Promise<void> {
  await room.succeed(['ip', 'link', 'add', 'slurm0', 'type', 'bridge']);
  await room.succeed(['ip', 'address', 'add', '192.0.2.1/24', 'dev', 'slurm0']);
  await room.succeed(['ip', 'link', 'set', 'slurm0', 'up']);
  const file = path.join(source, 'hosts');
  writeFileSync(file, `127.0.0.1 localhost ${hostname()}\n`);
  await room.succeed(['mount', '--bind', file, '/etc/hosts']);
}

/** Below /run, which is the room's own: Slurm and munge insist on who owns each folder above. */
async function prepareFolders(room: EngineRoom): Promise<void> {
  const source = path.join(room.directory, 'slurm');
  mkdirSync(source);
  writeFileSync(path.join(source, 'slurm.conf'), buildConfiguration());
  writeFileSync(path.join(source, 'oci.conf'), buildContainerConfiguration(room));
  await nameHost(room, source);
  await room.succeed(['mkdir', '-p', '/run/munge', '/run/slurm/state', '/run/slurm/spool']);
  await room.succeed(['cp', `${source}/slurm.conf`, `${source}/oci.conf`, CONFIGURATION_FOLDER]);
}

async function startMunge(room: EngineRoom): Promise<void> {
  const key = '/run/munge/key';
  await room.succeed(['dd', 'if=/dev/urandom', `of=${key}`, `bs=${MUNGE_KEY_BYTES}`, 'count=1']);
  await room.succeed(['chown', '-R', 'munge:munge', '/run/munge']);
  await room.succeed(['chmod', '400', key]);
  const files = ['--log-file', '/run/munge/log', '--pid-file', '/run/munge/pid'];
  const seed = ['--seed-file', '/run/munge/seed', '--socket', MUNGE_SOCKET];
  const munged = ['munged', '--foreground', '--key-file', key, ...files, ...seed];
  room.startDaemon(
    ['setpriv', '--reuid', 'munge', '--regid', 'munge', '--clear-groups', ...munged],
    'munged',
  );
}

function buildConfiguration(): string {
  const host = hostname();
  return `ClusterName=test
SlurmctldHost=${host}(127.0.0.1)
AuthInfo=socket=${MUNGE_SOCKET}
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation=${CONFIGURATION_FOLDER}/state
SlurmdSpoolDir=${CONFIGURATION_FOLDER}/spool
SlurmctldPidFile=${CONFIGURATION_FOLDER}/slurmctld.pid
SlurmdPidFile=${CONFIGURATION_FOLDER}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
KillWait=2
NodeName=${host} NodeAddr=127.0.0.1 CPUs=1 State=UNKNOWN
PartitionName=main Nodes=${host} Default=YES State=UP
`;
}

/** "%n.%u.%j.%s.%t" is node, user, job, step and task: one container for each. */
function buildContainerConfiguration(room: EngineRoom): string {
  const id = '%n.%u.%j.%s.%t';
  return `RunTimeQuery="${room.runtime} state ${id}"
RunTimeKill="${room.runtime} kill -a ${id}"
RunTimeDelete="${room.runtime} delete --force ${id}"
RunTimeRun="${room.runtime} run --bundle %b ${id}"
`;
}

/** Writes a bundle for `srun --container`, which looks for a root file system of this name only; returns its folder. */
export function writeBundle(room: EngineRoom): string {
  const folder = path.join(room.directory, 'bundle');
  mkdirSync(folder);
  writeEngineRootfs(path.join(folder, 'rootfs'));
  const config = {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args: ['sh'],
      env: ['PATH=/bin'],
      cwd: '/',
    },
    root: { path: 'rootfs', readonly: false },
    mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }],
    linux: { namespaces: ['pid', 'network', 'ipc', 'uts', 'mount'].map((type) => ({ type })) },
  };
  writeFileSync(path.join(folder, 'config.json'), JSON.stringify(config));
  return folder;
}
