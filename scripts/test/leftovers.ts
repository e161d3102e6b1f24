import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/**
 * Finds what a test run has left on the machine. Whatever a test starts inherits the run's id in its environment or
 * names the run's folder on its command line, so that other people's sandboxes are never blamed.
 */

/** Variable that marks the processes of one test run. */
export const RUN_VARIABLE = 'WARDIAN_TEST_RUN';

/** Things of the machine that have no owner: what is new after a run is left over. */
export interface MachineState {
  readonly interfaces: readonly string[];
  readonly controlGroups: readonly string[];
}

export function observeMachine(): MachineState {
  return { interfaces: list('/sys/class/net'), controlGroups: findControlGroups() };
}

export interface LeftoverQuery {
  readonly runId: string;
  /** The run's folder: runtime and data folders, temporary files. */
  readonly directory: string;
  readonly before: MachineState;
}

/** One line for each thing left over; waits for processes that are about to leave. */
export async function findLeftovers(query: LeftoverQuery, patienceMs: number): Promise<string[]> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const found = look(query);
    if (found.length === 0 || Date.now() > deadline) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function look({ runId, directory, before }: LeftoverQuery): string[] {
  const now = observeMachine();
  return [
    ...findProcesses(runId, directory),
    ...linesNaming('/proc/self/mountinfo', directory).map((line) => `mount: ${line}`),
    ...findLoopDevices(directory),
    ...listTree(directory).map((file) => `file: ${file}`),
    ...added(before.interfaces, now.interfaces).map((name) => `network interface: ${name}`),
    ...added(before.controlGroups, now.controlGroups).map((name) => `cgroup: ${name}`),
  ];
}

function findProcesses(runId: string, directory: string): string[] {
  const marker = `${RUN_VARIABLE}=${runId}`;
  return list('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      const command = read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
      const isOurs =
        read(`/proc/${pid}/environ`).split('\0').includes(marker) || command.includes(directory);
      return isOurs ? [`process ${pid}: ${command.slice(0, 200)}`] : [];
    });
}

function findLoopDevices(directory: string): string[] {
  return list('/sys/block')
    .filter((name) => name.startsWith('loop'))
    .filter((name) => read(`/sys/block/${name}/loop/backing_file`).startsWith(directory))
    .map((name) => `loop device: ${name}`);
}

/** How deep below the root of the hierarchy sandboxes' groups are looked for. */
const CONTROL_GROUP_DEPTH = 3;

function findControlGroups(parent = '/sys/fs/cgroup', depth = 1): string[] {
  const folders = listFolders(parent).map((name) => path.join(parent, name));
  const below =
    depth < CONTROL_GROUP_DEPTH
      ? folders.flatMap((folder) => findControlGroups(folder, depth + 1))
      : [];
  return [...folders.filter((folder) => path.basename(folder).includes('wardian')), ...below];
}

function linesNaming(file: string, text: string): string[] {
  return read(file)
    .split('\n')
    .filter((line) => line.includes(text));
}

/** Everything but folders: an empty folder is the test run's own furniture. */
function listTree(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.join(entry.parentPath, entry.name));
}

function added(before: readonly string[], after: readonly string[]): string[] {
  return after.filter((name) => !before.includes(name));
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // not on this machine
  }
}

function listFolders(directory: string): string[] {
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch {
    return []; // gone since it was listed, or not ours to read
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // a process that has ended, or not ours to read
  }
}
