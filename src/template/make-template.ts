import { type FileHandle, mkdir, rm } from 'node:fs/promises';
import { AgentClient } from '../agent/agent-client.ts';
import type { HypervisorDriver, VirtualMachine } from '../hypervisor/driver.ts';
import type { MachineConfig } from '../machine/machine-config.ts';
import { Cleanup } from '../util/cleanup.ts';
import { WardianError } from '../util/errors.ts';
import { explainBootFailure } from './boot-failure.ts';
import { comeToRest } from './come-to-rest.ts';
import type { Guest } from './guest.ts';
import { describeSandboxMachine, makeShareDirectory } from './machine.ts';
import type { SizeClass } from './size-class.ts';

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
      share: { path: await makeShareDirectory(directory), writable: false },
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

/** Talks to the agent until it waits for a host that knows its nonce. */
async function bringToRest(machine: VirtualMachine, signal: AbortSignal): Promise<Uint8Array> {
  const talk = async (): Promise<Uint8Array> => {
    const agent = AgentClient.start(await machine.openAgentChannel(), {
      offerTimeoutMs: BOOT_TIMEOUT_MS,
    });
    try {
      await agent.ping({ timeoutMs: BOOT_TIMEOUT_MS, signal });
      return await comeToRest(agent, machine, signal);
    } finally {
      agent.close();
    }
  };
  const death = machine.exited.then(({ reason }) => {
    throw new WardianError('TEMPLATE_FAILED', `the guest ended while it booted: ${reason}`);
  });
  return await Promise.race([talk(), death]);
}
