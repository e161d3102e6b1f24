import { existsSync, readdirSync, readFileSync, readlinkSync, rmdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { KEEPER } from './room-script.ts';

/** A process of a room. */
export interface RoomProcess {
  /** As the host sees it. */
  readonly pid: number;
  /** As the room sees it. */
  readonly roomPid: number;
  readonly parentRoomPid: number;
  /** Its arguments, joined by blanks; its name in brackets when it is a zombie. */
  readonly command: string;
}

const CONTROL_GROUPS = '/sys/fs/cgroup';
const POLL_MS = 100;
/** SIGKILL needs only the kernel, which may be writing what the process had mapped. */
const KILL_TIMEOUT_MS = 10_000;

/** Groups in which engines keep their containers and monitors, and which they leave when those have gone. */
const ENGINE_GROUPS = new Set(['libpod_parent', 'docker', 'conmon', 'buildah', 'slurm']);
/** Daemons that tests start and end themselves, and our sandboxer, which stays for a while. */
const DAEMONS =
  /^(\S*\/)?(containerd|dockerd|docker-proxy|slurmd|slurmctld|munged|aardvark-dns)\b|slurmscriptd|sandboxer/;
const ROOM_INTERFACES = new Set([
  'lo',
  'docker0',
  'ifb0',
  'ifb1',
  'tunl0',
  'sit0',
  'gre0',
  'gretap0',
]);
/** A bridge of podman stays as long as its network has a container, and is its own affair; veths are not. */
const BRIDGE = /^(podman|cni-podman|br-|slurm)/;

export interface RoomQuery {
  readonly initPid: number;
  readonly directory: string;
  /** Of its control groups. */
  readonly name: string;
}

/** One line for each thing that containers have left in a room; waits for what is about to go. */
export async function findRoomLeftovers(query: RoomQuery, patienceMs: number): Promise<string[]> {
  for (const deadline = Date.now() + patienceMs; ; ) {
    const found = look(query);
    if (found.length === 0 || Date.now() > deadline) return found;
    await delay(POLL_MS);
  }
}

function look({ initPid, directory, name }: RoomQuery): string[] {
  const inside = `/proc/${initPid}/root`;
  return [
    ...readRoomProcesses(initPid)
      .filter(({ command }) => !DAEMONS.test(command))
      .map(({ command, roomPid }) => `process ${roomPid}: ${command.slice(0, 200)}`),
    ...listGroups(name).map((group) => `cgroup: ${group}`),
    ...list(`${inside}/run/netns`).map((file) => `network namespace: ${file}`),
    ...list(`${inside}/run/wardian-runtime`).map((file) => `state of our runtime: ${file}`),
    ...list(`${inside}${directory}/w/sandboxes`).map((file) => `sandbox: ${file}`),
    ...readMounts(initPid, directory).map((place) => `mount: ${place}`),
    ...readInterfaces(initPid).map((link) => `network interface: ${link}`),
  ];
}

/** Processes in the room's process namespace but its first one and that one's `sleep`. */
export function readRoomProcesses(initPid: number): RoomProcess[] {
  const namespace = readLink(`/proc/${initPid}/ns/pid`);
  if (namespace === '') return [];
  return list('/proc')
    .filter((entry) => /^\d+$/.test(entry) && readLink(`/proc/${entry}/ns/pid`) === namespace)
    .map((entry) => describeProcess(Number(entry)))
    .filter(({ roomPid, parentRoomPid, command }) => {
      return roomPid > 1 && parentRoomPid !== 0 && command !== KEEPER.join(' ');
    });
}

/** Parent 0 is outside: a command that the test itself has sent into the room. */
function describeProcess(pid: number): RoomProcess {
  const status = read(`/proc/${pid}/status`);
  const parent = findField(status, 'PPid');
  const isInside = readLink(`/proc/${parent}/ns/pid`) === readLink(`/proc/${pid}/ns/pid`);
  const command = read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
  return {
    pid,
    roomPid: findRoomPid(status),
    parentRoomPid: isInside ? findRoomPid(read(`/proc/${parent}/status`)) : 0,
    command: command === '' ? `[${findField(status, 'Name')}]` : command,
  };
}

function findField(status: string, name: string): string {
  return new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? '';
}

/** The number in the innermost namespace stands last. */
function findRoomPid(status: string): number {
  return Number(findField(status, 'NSpid').split('\t').at(-1));
}

/** Control groups below those of the room that are no engine's furniture. */
function listGroups(name: string): string[] {
  return list(CONTROL_GROUPS).flatMap((hierarchy) =>
    listContainerGroups(path.join(CONTROL_GROUPS, hierarchy, name)),
  );
}

function listContainerGroups(parent: string): string[] {
  return listFolders(parent).flatMap((name) => {
    const group = path.join(parent, name);
    return ENGINE_GROUPS.has(name) ? listContainerGroups(group) : [group];
  });
}

/** Mounts of the room below its folder; the storage of an engine mounts itself. */
function readMounts(initPid: number, directory: string): string[] {
  return read(`/proc/${initPid}/mounts`)
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((place) => place.startsWith(`${directory}/`) && !/\/(overlay|data-root)$/.test(place));
}

function readInterfaces(initPid: number): string[] {
  return read(`/proc/${initPid}/net/dev`)
    .split('\n')
    .flatMap((line) => /^\s*([^\s:]+):/.exec(line)?.[1] ?? [])
    .filter((link) => !ROOM_INTERFACES.has(link) && !BRIDGE.test(link));
}

/** Kills processes and waits for their end. */
export async function endProcesses(processes: readonly RoomProcess[]): Promise<void> {
  for (const { pid } of processes) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {} // ESRCH: ended meanwhile
  }
  const deadline = Date.now() + KILL_TIMEOUT_MS;
  while (processes.some(({ pid }) => existsSync(`/proc/${pid}`)) && Date.now() < deadline) {
    await delay(POLL_MS / 10);
  }
}

/** Removes the room's control groups with those below; the kernel may still be taking down the last process. */
export async function removeControlGroups(name: string): Promise<void> {
  const deadline = Date.now() + KILL_TIMEOUT_MS;
  for (const hierarchy of list(CONTROL_GROUPS)) {
    const group = path.join(CONTROL_GROUPS, hierarchy, name);
    while (existsSync(group)) {
      try {
        removeTree(group);
      } catch (error) {
        if (Date.now() > deadline) throw error;
        await delay(POLL_MS);
      }
    }
  }
}

function removeTree(group: string): void {
  for (const entry of listFolders(group)) removeTree(path.join(group, entry));
  rmdirSync(group);
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // never made, or gone
  }
}

function listFolders(directory: string): string[] {
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch {
    return []; // gone since it was listed
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // ended meanwhile
  }
}

function readLink(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return ''; // ended meanwhile, or a zombie
  }
}
