import { watch } from 'node:fs';
import { type FileHandle, mkdir, open, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { AgentClient } from '../agent/agent-client.ts';
import { CONSOLE_LOG, type HypervisorDriver, type VirtualMachine } from '../hypervisor/driver.ts';
import type { MachineConfig } from '../machine/machine-config.ts';
import { Cleanup } from '../util/cleanup.ts';
import { WardianError } from '../util/errors.ts';
import { explainBootFailure } from './boot-failure.ts';
import type { Guest } from './guest.ts';
import { describeSandboxMachine, makeShareDirectory } from './machine.ts';
import type { SizeClass } from './size-class.ts';
import { describeSpareContainer } from './spare-container.ts';

/** What the agent prints when nobody is connected and it rests (docs/protocol.md). */
const WAITING_LINE = 'wardian-agent: waiting';
/** The agent notices a hang-up within milliseconds; a busy host may need longer to let it. */
const WAITING_TIMEOUT_MS = 30_000;
/** Without hardware virtualisation and with a distribution's kernel a boot takes 3 s on a quiet machine. */
const BOOT_TIMEOUT_MS = 120_000;

export interface MakeRequest {
  readonly driver: HypervisorDriver;
  readonly guest: Guest;
  readonly size: SizeClass;
  readonly id: string;
  /** A folder for the machine's sockets; made here, and gone afterwards. */
  readonly directory: string;
  readonly statePath: string;
  readonly onProgress: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface MadeTemplate {
  readonly config: MachineConfig;
  readonly nonce: Uint8Array;
  /** The guest's memory, not sealed yet; the caller closes it. */
  readonly memory: FileHandle;
}

/** Boots a machine, lets its agent come to rest, and saves it. */
export async function makeTemplate(request: MakeRequest): Promise<MadeTemplate> {
  const { driver, guest, size, id, directory, signal } = request;
  const cleanup = new Cleanup();
  try {
    await mkdir(directory, { recursive: true, mode: 0o711 });
    cleanup.defer('template machine folder', () => rm(directory, { recursive: true, force: true }));
    const config = describeSandboxMachine(size, guest.boot, {
      shareDirectory: await makeShareDirectory(directory),
    });
    request.onProgress('booting the guest once, to clone it from now on');
    const machine = await driver.boot({ id, config, directory, snapshotable: true, signal });
    cleanup.defer('template machine', () => machine.kill());
    const nonce = await bringToRest(machine, signal).catch(async (error: unknown) => {
      throw await explainBootFailure(error, machine, guest);
    });
    request.onProgress('saving the guest');
    const memory = await machine.snapshot(request.statePath);
    const failures = await cleanup.run();
    if (failures.length === 0) return { config, nonce, memory };
    await memory.close();
    throw new WardianError('TEMPLATE_FAILED', failures.join('; '));
  } catch (error) {
    throw await cleanup.fail(error);
  }
}

/** Talks to the agent until it has freed what it can and waits for a host that knows its nonce. */
async function bringToRest(machine: VirtualMachine, signal: AbortSignal): Promise<Uint8Array> {
  const consolePath = path.join(machine.record.directory, CONSOLE_LOG);
  const talk = async (): Promise<Uint8Array> => {
    const agent = AgentClient.start(await machine.openAgentChannel(), {
      offerTimeoutMs: BOOT_TIMEOUT_MS,
    });
    try {
      await agent.ping({ timeoutMs: BOOT_TIMEOUT_MS, signal });
      const nonce = await agent.prepareSnapshot({ spare: describeSpareContainer() }, { signal });
      // It says that it waits once we have hung up; what it said before then does not count.
      const { size } = await stat(consolePath);
      agent.close();
      await waitForLine(consolePath, size, signal);
      return nonce;
    } finally {
      agent.close();
    }
  };
  const death = machine.exited.then(({ reason }) => {
    throw new WardianError('TEMPLATE_FAILED', `the guest ended while it booted: ${reason}`);
  });
  return await Promise.race([talk(), death]);
}

/** Resolves when the agent's line stands in the log beyond `offset`. */
async function waitForLine(logPath: string, offset: number, signal: AbortSignal): Promise<void> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(WAITING_TIMEOUT_MS)]);
  const changes = watchFile(logPath, deadline);
  try {
    while (!(await hasLine(logPath, offset))) await changes.next();
  } catch (error) {
    if (!deadline.aborted) throw error;
    if (signal.aborted) throw new WardianError('CANCELLED', 'making a template was cancelled');
    throw new WardianError('AGENT_TIMEOUT', 'the guest agent did not come to rest', {
      cause: error,
    });
  } finally {
    changes.close();
  }
}

/** Changes of a file that are not lost between two waits. */
function watchFile(filePath: string, signal: AbortSignal) {
  let hasChanged = false;
  let wake = (): void => {};
  const note = (): void => {
    hasChanged = true;
    wake();
  };
  const watcher = watch(filePath, note);
  signal.addEventListener('abort', note);
  return {
    next: async (): Promise<void> => {
      if (!hasChanged) await new Promise<void>((resolve) => (wake = resolve));
      signal.throwIfAborted();
      hasChanged = false;
    },
    close: (): void => {
      signal.removeEventListener('abort', note);
      watcher.close();
    },
  };
}

async function hasLine(logPath: string, offset: number): Promise<boolean> {
  const handle = await open(logPath, 'r');
  try {
    const { size } = await handle.stat();
    const { buffer } = await handle.read(
      Buffer.alloc(Math.max(size - offset, 1)),
      0,
      undefined,
      offset,
    );
    return buffer.toString('latin1').includes(WAITING_LINE);
  } finally {
    await handle.close();
  }
}
