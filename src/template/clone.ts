import { AgentClient, type AgentClientOptions } from '../agent/agent-client.ts';
import type {
  HypervisorDriver,
  VirtualMachine,
  VirtualMachineRecord,
} from '../hypervisor/driver.ts';
import { WardianError } from '../util/errors.ts';
import type { Trace } from '../util/trace.ts';
import type { Guest } from './guest.ts';
import { describeSandboxMachine, type HostResources, makeShareDirectory } from './machine.ts';
import type { SizeClass } from './size-class.ts';
import type { Template } from './template.ts';

export interface SandboxMachine {
  readonly machine: VirtualMachine;
  readonly agent: AgentClient;
}

interface StartRequest extends HostResources {
  readonly driver: HypervisorDriver;
  readonly id: string;
  /** An empty folder for the machine. */
  readonly directory: string;
  /** The image that the guest finds on its root disk. */
  readonly imagePath?: string | undefined;
  /** Another image may take its place later. */
  readonly exchangeable?: boolean;
  /** See CloneRequest. */
  readonly isStem?: boolean;
  readonly signal?: AbortSignal;
  /** See AgentClientOptions. */
  readonly onSessionRestarted?: () => void;
  readonly trace?: Trace | undefined;
}

/**
 * Starts a sandbox's machine from a template. Requests may be sent to the agent at once: its offer is known,
 * so they wait in the channel until the guest runs.
 */
export async function cloneSandboxMachine(
  request: StartRequest & { readonly template: Template },
): Promise<SandboxMachine> {
  const { driver, template, id, directory, signal, onSessionRestarted, trace } = request;
  const { size, snapshot, nonce } = template;
  const { imagePath, exchangeable = false, isStem = false } = request;
  const { taps, cgroupDirectories = [] } = request;
  checkTaps(taps);
  const share = request.share ?? (await makeEmptyShare(directory));
  const hostSide = { share, taps, imagePath, exchangeable };
  const machine = await driver.clone({
    id,
    directory,
    snapshot,
    config: describeSandboxMachine(size, snapshot.config.boot, hostSide),
    isStem,
    cgroupDirectories,
    ...(signal && { signal }),
    trace,
  });
  return await connectAgent(machine, {
    knownNonce: nonce,
    ...(onSessionRestarted && { onSessionRestarted }),
  });
}

/** A machine at rest, paused, of which others are forked. */
export interface Stem {
  readonly template: Template;
  readonly record: VirtualMachineRecord;
  /** Of the offer that the agent of every fork makes. */
  readonly nonce: Uint8Array;
}

/** Starts a sandbox's machine as a fork of a stem; requests may be sent to the agent at once, as to a clone's. */
export async function forkSandboxMachine(
  request: StartRequest & { readonly stem: Stem },
): Promise<SandboxMachine> {
  const { driver, stem, id, directory, imagePath, signal, onSessionRestarted, trace } = request;
  const { size, snapshot } = stem.template;
  const { taps, cgroupDirectories = [] } = request;
  checkTaps(taps);
  const share = request.share ?? (await makeEmptyShare(directory));
  const machine = await driver.fork({
    ...{ id, directory, stem: stem.record },
    config: describeSandboxMachine(size, snapshot.config.boot, { share, taps, imagePath }),
    cgroupDirectories,
    ...(signal && { signal }),
    trace,
  });
  return await connectAgent(machine, {
    knownNonce: stem.nonce,
    ...(onSessionRestarted && { onSessionRestarted }),
  });
}

/** Boots a sandbox's machine from its kernel; requests to the agent wait until it has come up. */
export async function bootSandboxMachine(
  request: StartRequest & { readonly guest: Guest; readonly size: SizeClass },
): Promise<SandboxMachine> {
  const { driver, guest, size, id, directory, imagePath, signal, onSessionRestarted, trace } =
    request;
  const { taps, cgroupDirectories = [] } = request;
  checkTransports(guest, taps);
  const share = request.share ?? (await makeEmptyShare(directory));
  const machine = await driver.boot({
    id,
    directory,
    snapshotable: false,
    config: describeSandboxMachine(size, guest.boot, { share, taps, imagePath }),
    cgroupDirectories,
    ...(signal && { signal }),
    trace,
  });
  return await connectAgent(
    machine,
    onSessionRestarted === undefined ? {} : { onSessionRestarted },
  );
}

async function makeEmptyShare(directory: string) {
  return { path: await makeShareDirectory(directory), writable: false };
}

/** What a template's guest has found when it booted is all that it will ever find. */
function checkTaps(taps: HostResources['taps'] = []): void {
  if (taps.length <= 1) return;
  throw new WardianError('INTERNAL', `a template has one network device, not ${taps.length}`);
}

/** Without ACPI a microVM has eight places for devices, of which five are taken by others. */
const MAX_TAPS_WITHOUT_ACPI = 3;

function checkTransports({ boot, name }: Guest, taps: HostResources['taps'] = []): void {
  if (boot.acpi || taps.length <= MAX_TAPS_WITHOUT_ACPI) return;
  const message = `the ${name} guest has ${MAX_TAPS_WITHOUT_ACPI} network devices at most, not ${taps.length}`;
  throw new WardianError('SPEC_UNSUPPORTED', message, { hint: 'WARDIAN_GUEST=distro has more' });
}

async function connectAgent(
  machine: VirtualMachine,
  options: AgentClientOptions,
): Promise<SandboxMachine> {
  try {
    return { machine, agent: AgentClient.start(await machine.openAgentChannel(), options) };
  } catch (error) {
    await machine.kill();
    throw error;
  }
}
