import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { killProcessesNaming } from '../host/process-sweep.ts';
import { adoptSandbox } from '../sandbox/adopt-sandbox.ts';
import {
  readSandboxState,
  type SandboxState,
  writeSandboxState,
} from '../sandbox/sandbox-state.ts';
import type { SandboxServices } from '../sandbox/start-sandbox.ts';
import { getRequest } from './describe-container.ts';
import type { Sandboxer } from './sandboxer.ts';

/** Exit code of a container whose machine went away unseen. */
const LOST_EXIT_CODE = 137;

/**
 * Looks at what an earlier sandboxer left: running sandboxes are adopted, ended ones are listed,
 * and what was half-made or is damaged is cleared away. `log` gets a line for each of the last.
 */
export async function adoptAll(
  sandboxer: Sandboxer,
  services: SandboxServices,
  log: (line: string) => void,
): Promise<void> {
  const parent = path.join(services.runtimeDirectory, 'sandboxes');
  const names = await readdir(parent).catch(() => []); // none yet
  await Promise.all(
    names.map(async (name) => {
      const directory = path.join(parent, name);
      try {
        await adoptDirectory(sandboxer, services, directory);
      } catch (error) {
        log(`cleared ${directory} away: ${error instanceof Error ? error.message : String(error)}`);
        await clearAway(directory);
      }
    }),
  );
}

async function adoptDirectory(
  sandboxer: Sandboxer,
  services: SandboxServices,
  directory: string,
): Promise<void> {
  const state = await readSandboxState(directory);
  if (state.status === 'created') throw new Error('its sandboxer ended while it was made');
  if (state.status === 'exited') return keepEnded(sandboxer, state, directory);
  const logPath = sandboxer.getLogPath(state.id);
  try {
    sandboxer.addSandbox(await adoptSandbox(services, state, { directory, logPath }));
  } catch (error) {
    await markLost(state, directory, error);
    await keepEnded(sandboxer, state, directory);
  }
}

async function keepEnded(
  sandboxer: Sandboxer,
  state: SandboxState,
  directory: string,
): Promise<void> {
  const entry = { state, directory, sandbox: undefined, done: Promise.resolve() };
  sandboxer.registry.add(entry);
  if (getRequest(state).autoRemove) await sandboxer.deleteEntry(entry);
}

async function markLost(state: SandboxState, directory: string, error: unknown): Promise<void> {
  const reason = error instanceof Error ? error.message : String(error);
  state.status = 'exited';
  state.finishedAtMs = Date.now();
  state.error = `lost while no sandboxer ran: ${reason}`;
  state.exit = {
    exitCode: LOST_EXIT_CODE,
    signal: 9,
    outOfMemory: false,
    sandboxFailure: state.error,
  };
  delete state.machine;
  state.execs = [];
  await killProcessesNaming(path.join(directory, 'machine'));
  await rm(path.join(directory, 'machine'), { recursive: true, force: true });
  await writeSandboxState(directory, state);
}

/** Removes a folder that nobody can use, with the VMM that may still run out of it. */
async function clearAway(directory: string): Promise<void> {
  await killProcessesNaming(path.join(directory, 'machine'));
  await rm(directory, { recursive: true, force: true });
}
