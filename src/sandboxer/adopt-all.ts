import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { killProcessesNaming } from '../host/process-sweep.ts';
import { type AdoptedSandbox, adoptSandbox, type LeftContainer } from '../sandbox/adopt-sandbox.ts';
import { OWNER_GRACE_MS } from '../sandbox/execs.ts';
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

interface Adoption {
  readonly sandboxer: Sandboxer;
  readonly services: SandboxServices;
  /** Gets a line for each folder that was cleared away. */
  readonly log: (line: string) => void;
}

/**
 * Looks at what an earlier sandboxer left: running sandboxes are adopted, ended ones are listed,
 * and what was half-made or is damaged is cleared away. `log` gets a line for each of the last.
 */
export async function adoptAll(
  sandboxer: Sandboxer,
  services: SandboxServices,
  log: (line: string) => void,
): Promise<void> {
  const adoption = { sandboxer, services, log };
  const parent = path.join(services.runtimeDirectory, 'sandboxes');
  const names = await readdir(parent).catch(() => []); // none yet
  const found = await Promise.all(
    names.map((name) => readContainer(adoption, path.join(parent, name))),
  );
  const all = found.filter((one) => one !== undefined);
  const owners = all.filter(({ state }) => state.engine?.sandbox === undefined);
  await Promise.all(
    owners.map((own) => {
      const joined = all.filter(({ state }) => state.engine?.sandbox === own.state.id);
      return adoptOrClear(adoption, own, joined);
    }),
  );
  // What had joined a sandbox that is no more.
  const known = new Set(owners.map(({ state }) => state.id));
  const orphans = all.filter(({ state }) => !known.has(state.engine?.sandbox ?? state.id));
  for (const { directory } of orphans) {
    log(await clearAway(sandboxer, directory, 'its sandbox has gone'));
  }
}

async function readContainer(
  { sandboxer, log }: Adoption,
  directory: string,
): Promise<LeftContainer | undefined> {
  try {
    const state = await readSandboxState(directory);
    getSpec(state); // throws when it is damaged: every list of containers would
    const logPath = state.engine === undefined ? sandboxer.getLogPath(state.id) : undefined;
    return { directory, state, logPath };
  } catch (error) {
    log(await clearAway(sandboxer, directory, describe(error)));
    return undefined;
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** One sandbox with those that had joined it: what is wrong with one must not keep the others. */
async function adoptOrClear(
  adoption: Adoption,
  own: LeftContainer,
  joined: readonly LeftContainer[],
): Promise<void> {
  const { sandboxer, log } = adoption;
  try {
    await adopt(adoption, own, joined);
  } catch (error) {
    for (const { directory } of [own, ...joined]) {
      log(await clearAway(sandboxer, directory, describe(error)));
    }
  }
}

async function adopt(
  { sandboxer, services }: Adoption,
  own: LeftContainer,
  joined: readonly LeftContainer[],
): Promise<void> {
  const { state, directory } = own;
  const isHalfMade = state.machine === undefined || state.engine === undefined;
  if (state.status === 'created' && isHalfMade) {
    throw new Error('its sandboxer ended while it was made');
  }
  const [alive, over] = split(joined);
  for (const one of over) await keepEnded(sandboxer, one.state, one.directory);
  if (state.status === 'exited') {
    await keepEnded(sandboxer, state, directory);
    await loseAll(sandboxer, alive, new Error('its sandbox has ended'));
    return;
  }
  try {
    const adopted = await orTooLate(adoptSandbox(services, own, alive));
    await takeIn(sandboxer, adopted, alive);
  } catch (error) {
    await loseAll(sandboxer, [own, ...alive], error);
  }
}

function split(joined: readonly LeftContainer[]): [alive: LeftContainer[], over: LeftContainer[]] {
  const isOver = ({ state }: LeftContainer): boolean => state.status === 'exited';
  return [joined.filter((one) => !isOver(one)), joined.filter(isOver)];
}

async function takeIn(
  sandboxer: Sandboxer,
  { container, joined }: AdoptedSandbox,
  left: readonly LeftContainer[],
): Promise<void> {
  if (container.state.engine === undefined) sandboxer.addContainer(container);
  else sandboxer.engine.add(container);
  for (const [index, one] of joined.entries()) {
    if (!(one instanceof WardianError)) sandboxer.engine.add(one);
    else await loseAll(sandboxer, left.slice(index, index + 1), one);
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
  if (state.engine !== undefined) {
    sandboxer.engine.addEnded(state, directory);
    return;
  }
  if (!getRequest(state).autoRemove) {
    sandboxer.registry.add({ state, directory, container: undefined, done: Promise.resolve() });
    return;
  }
  let claim = (): void => {};
  const claimed = new Promise<void>((resolve) => {
    claim = resolve;
  });
  const patience = state.owned ? delay(OWNER_GRACE_MS, undefined, { ref: false }) : undefined;
  const done = Promise.race([claimed, patience]).then(() => sandboxer.deleteEntry(entry));
  done.catch(() => {}); // told to whoever waits; it stays in the list, where it can be removed again
  const entry: ContainerEntry = { state, directory, container: undefined, done, claim };
  sandboxer.registry.add(entry);
  if (!state.owned) await done;
}

async function loseAll(
  sandboxer: Sandboxer,
  lost: readonly LeftContainer[],
  error: unknown,
): Promise<void> {
  for (const { state, directory } of lost) {
    await markLost(state, directory, error);
    await keepEnded(sandboxer, state, directory);
  }
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
