import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { killProcessesNaming } from '../host/process-sweep.ts';
import { adoptSandbox } from '../sandbox/adopt-sandbox.ts';
import { OWNER_GRACE_MS } from '../sandbox/sandbox.ts';
import {
  readSandboxState,
  type SandboxState,
  writeSandboxState,
} from '../sandbox/sandbox-state.ts';
import type { SandboxServices } from '../sandbox/start-machine.ts';
import { WardianError } from '../util/errors.ts';
import type { ContainerEntry } from './container-registry.ts';
import { getRequest } from './describe-container.ts';
import { getSpec } from './requests/container-spec.ts';
import type { Sandboxer } from './sandboxer.ts';

/** Adoption takes milliseconds; a client waits twice as long for a sandboxer to start. */
const ADOPT_TIMEOUT_MS = 10_000;
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
        log(await clearAway(sandboxer, directory, describe(error)));
      }
    }),
  );
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function adoptDirectory(
  sandboxer: Sandboxer,
  services: SandboxServices,
  directory: string,
): Promise<void> {
  const state = await readSandboxState(directory);
  getSpec(state); // throws when it is damaged: every list of containers would
  if (state.status === 'created') throw new Error('its sandboxer ended while it was made');
  if (state.status === 'exited') return keepEnded(sandboxer, state, directory);
  const logPath = sandboxer.getLogPath(state.id);
  try {
    const adopting = adoptSandbox(services, state, { directory, logPath });
    sandboxer.addSandbox(await orTooLate(adopting));
  } catch (error) {
    await markLost(state, directory, error);
    await keepEnded(sandboxer, state, directory);
  }
}

/** A machine that hangs must not keep the others, and whoever waits for them: it is given up. */
async function orTooLate<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new WardianError('AGENT_TIMEOUT', 'its virtual machine does not answer');
    timer = setTimeout(() => reject(error), ADOPT_TIMEOUT_MS);
  });
  work.catch(() => {}); // when it is too late, what fails then is a consequence
  return await Promise.race([work, late]).finally(() => clearTimeout(timer));
}

async function keepEnded(
  sandboxer: Sandboxer,
  state: SandboxState,
  directory: string,
): Promise<void> {
  const machineDirectory = path.join(directory, 'machine');
  if (existsSync(machineDirectory)) {
    // Its sandboxer was killed between writing down the end and ending the machine.
    await killProcessesNaming(machineDirectory);
    await rm(machineDirectory, { recursive: true, force: true });
  }
  if (!getRequest(state).autoRemove) {
    sandboxer.registry.add({ state, directory, sandbox: undefined, done: Promise.resolve() });
    return;
  }
  let claim = (): void => {};
  const claimed = new Promise<void>((resolve) => {
    claim = resolve;
  });
  const patience = state.owned ? delay(OWNER_GRACE_MS, undefined, { ref: false }) : undefined;
  const done = Promise.race([claimed, patience]).then(() => sandboxer.deleteEntry(entry));
  done.catch(() => {}); // told to whoever waits; it stays in the list, where it can be removed again
  const entry: ContainerEntry = { state, directory, sandbox: undefined, done, claim };
  sandboxer.registry.add(entry);
  if (!state.owned) await done;
}

async function markLost(state: SandboxState, directory: string, error: unknown): Promise<void> {
  state.status = 'exited';
  state.finishedAtMs = Date.now();
  state.error = `lost while no sandboxer ran: ${describe(error)}`;
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

/**
 * Removes a folder that nobody can use, with the VMM that may still run out of it, and its logs. Returns a line about
 * that; never rejects, for one that stays must not keep all others from being adopted.
 */
async function clearAway(sandboxer: Sandboxer, directory: string, why: string): Promise<string> {
  try {
    await killProcessesNaming(path.join(directory, 'machine'));
    await rm(directory, { recursive: true, force: true });
    await sandboxer.deleteLogs(path.basename(directory));
    return `cleared ${directory} away: ${why}`;
  } catch (error) {
    return `could not clear ${directory} away (${why}): ${describe(error)}`;
  }
}
