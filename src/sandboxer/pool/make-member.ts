import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { AgentClient } from '../../agent/agent-client.ts';
import { readPrivateMemory } from '../../host/memory-use.ts';
import type { VirtualMachine } from '../../hypervisor/driver.ts';
import type { WarmMachine, WarmSource } from '../../sandbox/warm-machines.ts';
import { cloneSandboxMachine } from '../../template/clone.ts';
import { describeSpareContainer } from '../../template/spare-container.ts';
import { warmUp } from '../../template/warm-up.ts';
import { Cleanup } from '../../util/cleanup.ts';
import { WardianError } from '../../util/errors.ts';

/** For warming up. Without hardware virtualisation, and on a busy host, a throw-away container takes a second. */
export const WARM_UP_TIMEOUT_MS = 30_000;
/** Taken for a member whose memory cannot be read: more than any has with the guests that there are. */
export const ASSUMED_BYTES = 96 * 2 ** 20;

export interface MemberRequest extends WarmSource {
  /** Parent of the members' folders. */
  readonly directory: string;
  /** The image of the throw-away container. */
  readonly imagePath: string;
  readonly signal: AbortSignal;
}

/** A machine of the pool. */
export interface PoolMember extends WarmMachine {
  readonly id: string;
  readonly source: WarmSource;
  readonly bytes: number;
  /** It is forked, not given away: one is enough for any number of starts. */
  readonly isStem: boolean;
  /** Settles when it can no longer be given away, with the reason. Never rejects. */
  readonly lost: Promise<string>;
}

/** A folder under the pool's, with a name that becomes the machine's. */
export async function makeMemberFolder(parent: string, cleanup: Cleanup) {
  const id = randomBytes(8).toString('hex');
  const directory = path.join(parent, id);
  await mkdir(parent, { recursive: true, mode: 0o711 });
  await mkdir(directory, { mode: 0o711 });
  const removeFolder = (): Promise<void> => rm(directory, { recursive: true, force: true });
  cleanup.defer('folder of a pool member', removeFolder);
  return { id, directory, removeFolder };
}

/** Clones a machine, lets it run a throw-away container, and brings it to rest: anonymous, and paused. */
export async function makeMember(request: MemberRequest): Promise<PoolMember> {
  const { driver, template, imagePath } = request;
  const cleanup = new Cleanup();
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(WARM_UP_TIMEOUT_MS)]);
  try {
    const { id, directory, removeFolder } = await makeMemberFolder(request.directory, cleanup);
    let onSessionRestarted = (): void => {};
    const listen = (listener: () => void): void => {
      onSessionRestarted = listener;
    };
    const { machine, agent } = await cloneSandboxMachine({
      ...{ driver, template, id, directory, imagePath, exchangeable: true, signal },
      onSessionRestarted: () => onSessionRestarted(),
    });
    cleanup.defer('machine of the pool', () => machine.kill());
    cleanup.defer('channel to a pool member', () => agent.close());
    const rested = new Promise<void>((resolve) => listen(resolve));
    await orDied(machine, bringToRest(agent, rested, signal));
    listen(() => {});
    await machine.pause();
    const bytes = (await readPrivateMemory(machine.record.pid)) ?? ASSUMED_BYTES;
    return {
      ...{ id, source: { driver, template }, bytes, isStem: false },
      lost: watch(machine, agent),
      start: async ({ imagePath: image, onSessionRestarted: listener }) => {
        await wake(machine, image);
        listen(listener);
        return { machine, agent };
      },
      discard: async () => {
        agent.close();
        await machine.kill();
        await removeFolder();
      },
    };
  } catch (error) {
    throw await cleanup.fail(error);
  }
}

async function bringToRest(
  agent: AgentClient,
  rested: Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  await warmUp(agent, signal);
  await agent.rest({ spare: describeSpareContainer() }, { signal });
  const mute = agent.ended.then((error) => {
    throw error ?? new WardianError('CANCELLED', 'the channel was closed');
  });
  const timer = new AbortController();
  const late = once(signal, 'abort', { signal: timer.signal }).then(() => signal.throwIfAborted());
  late.catch(() => {}); // it is called off below
  await Promise.race([rested, mute, late]).finally(() => timer.abort());
}

export async function orDied<T>(machine: VirtualMachine, work: Promise<T>): Promise<T> {
  const died = machine.exited.then(({ reason }) => {
    throw new WardianError('SANDBOX_DIED', `the virtual machine ended: ${reason}`);
  });
  return await Promise.race([work, died]);
}

/**
 * The guest stood still while its disk was another, and has forgotten all that it read there. It does nothing before it
 * is told to, so it may run while the exchange is still under way, and after one that has failed.
 */
async function wake(machine: VirtualMachine, imagePath: string | undefined): Promise<void> {
  const exchanged = imagePath === undefined ? undefined : machine.exchangeRootDisk(imagePath);
  await Promise.all([exchanged, machine.resume()]);
}

async function watch(machine: VirtualMachine, agent: AgentClient): Promise<string> {
  const gone = machine.exited.then(({ reason }) => reason);
  const mute = agent.ended.then((error) => error?.message ?? 'it was hung up on');
  return await Promise.race([gone, mute]);
}
