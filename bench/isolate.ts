import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, rmdirSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { hasErrno } from '../src/util/errors.ts';

/** Where one run of the benchmark keeps everything. */
export interface Workspace {
  readonly directory: string;
  /** In namespaces of our own (as root): what is mounted, listens or runs there ends with the run. Peers need that. */
  readonly isolated: boolean;
}

const WORKSPACE_VARIABLE = 'WARDIAN_BENCH_WORKSPACE';
const ISOLATED_VARIABLE = 'WARDIAN_BENCH_ISOLATED';
/** Two namespaces are made in milliseconds. */
const PROBE_TIMEOUT_MS = 10_000;
/** What was killed ends within moments; no event tells. */
const GROUP_TIMEOUT_MS = 10_000;
const GROUP_PAUSE_MS = 20;
const CONTROL_GROUPS = '/sys/fs/cgroup';

/**
 * What the first process of the namespaces does: a /run of its own for the engines' sockets and states, and no hybrid
 * hierarchy with controllers (crun refuses those). The shell stays, because it reaps orphans and Node does not.
 */
const NAMESPACE_SCRIPT = `
mount -t tmpfs -o mode=755 run /run || exit 1
if grep -qs . ${CONTROL_GROUPS}/unified/cgroup.controllers; then umount ${CONTROL_GROUPS}/unified; fi
"$@"
exit $?`;

/** The workspace when this process was started by `runInWorkspace`. */
export function findWorkspace(
  environment: Record<string, string | undefined>,
): Workspace | undefined {
  const directory = environment[WORKSPACE_VARIABLE];
  return directory ? { directory, isolated: environment[ISOLATED_VARIABLE] === '1' } : undefined;
}

/**
 * Runs a program in a workspace, where possible in mount and process namespaces of its own, and clears everything
 * away afterwards, even when that process is killed. Resolves with its exit code.
 */
export async function runInWorkspace(argv: readonly string[]): Promise<number> {
  // In lower case, because podman takes it into a reference.
  const directory = path.join(tmpdir(), `wardian-bench-${randomBytes(4).toString('hex')}`);
  await mkdir(directory, { mode: 0o711 }); // Virtual machines may run as other users, and pass through it.
  try {
    const isolated = canIsolate();
    const [file, ...rest] = isolated ? [...namespaceCommand(), ...argv] : argv;
    // Node reads these certificates at every start, for 35 ms and more.
    const { NODE_EXTRA_CA_CERTS: _, ...environment } = process.env;
    const child = spawn(file as string, rest, {
      stdio: 'inherit',
      env: {
        ...environment,
        [WORKSPACE_VARIABLE]: directory,
        [ISOLATED_VARIABLE]: isolated ? '1' : '0',
      },
    });
    // Ctrl-C reaches the child too, which then ends in good order; a plain kill takes it along.
    process.on('SIGINT', () => {});
    process.on('SIGTERM', () => child.kill('SIGKILL'));
    const [code] = (await once(child, 'exit')) as [number | null];
    return code ?? 1;
  } finally {
    await removeWorkspace(directory);
  }
}

/** True for root, unless it lives in a container that keeps namespaces from it. */
export function canIsolate(): boolean {
  if (process.getuid?.() !== 0) return false;
  const argv = ['--mount', '--pid', '--fork', '--mount-proc', 'true'];
  return spawnSync('unshare', argv, { stdio: 'ignore', timeout: PROBE_TIMEOUT_MS }).status === 0;
}

/** Kills the whole namespace when `unshare` dies, so that nothing outlives the run. */
export function namespaceCommand(): string[] {
  const namespaces = ['--mount', '--propagation', 'private', '--pid', '--mount-proc'];
  const script = ['/bin/sh', '-c', NAMESPACE_SCRIPT, 'wardian-bench'];
  return ['unshare', ...namespaces, '--fork', '--kill-child', '--', ...script];
}

/** Name of the control group under which the peers' containers go, in whatever hierarchies there are. */
export function controlGroupName({ directory }: Workspace): string {
  return path.basename(directory);
}

async function removeWorkspace(directory: string): Promise<void> {
  try {
    const name = path.basename(directory);
    const hierarchies = existsSync(CONTROL_GROUPS) ? readdirSync(CONTROL_GROUPS) : [];
    for (const hierarchy of ['', ...hierarchies]) {
      await removeControlGroup(path.join(CONTROL_GROUPS, hierarchy, name));
    }
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Removes a control group with those below it. The kernel may still be taking down the last process in it. */
async function removeControlGroup(group: string): Promise<void> {
  if (!existsSync(group)) return;
  for (const entry of readdirSync(group, { withFileTypes: true })) {
    if (entry.isDirectory()) await removeControlGroup(path.join(group, entry.name));
  }
  const deadline = Date.now() + GROUP_TIMEOUT_MS;
  for (;;) {
    try {
      rmdirSync(group);
      return;
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return; // the same hierarchy under another name
      if (!hasErrno(error, 'EBUSY') || Date.now() > deadline) throw error;
      await delay(GROUP_PAUSE_MS);
    }
  }
}
