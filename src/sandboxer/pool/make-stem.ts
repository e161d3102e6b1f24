import { mkdir, rm } from 'node:fs/promises';
import { readPrivateMemory } from '../../host/memory-use.ts';
import { killProcessesNaming } from '../../host/process-sweep.ts';
import type { WarmStart } from '../../sandbox/warm-machines.ts';
import {
  cloneSandboxMachine,
  forkSandboxMachine,
  type SandboxMachine,
  type Stem,
} from '../../template/clone.ts';
import { comeToRest } from '../../template/come-to-rest.ts';
import { warmUp, warmUpShare } from '../../template/warm-up.ts';
import { Cleanup } from '../../util/cleanup.ts';
import {
  ASSUMED_BYTES,
  type MemberRequest,
  makeMemberFolder,
  orDied,
  type PoolMember,
  WARM_UP_TIMEOUT_MS,
} from './make-member.ts';

export interface StemRequest extends MemberRequest {
  /** What its guest sees of the host while it warms up; see `prepareSharedRoot`. */
  readonly sharePath: string;
}

/** Clones a machine, lets it run a throw-away container or two, and leaves it paused and anonymous, to be forked. */
export async function makeStem(request: StemRequest): Promise<PoolMember> {
  const { driver, template, imagePath, sharePath } = request;
  const cleanup = new Cleanup();
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(WARM_UP_TIMEOUT_MS)]);
  try {
    const { id, directory, removeFolder } = await makeMemberFolder(request.directory, cleanup);
    const share = { path: sharePath, writable: false };
    const { machine, agent } = await cloneSandboxMachine({
      ...{ driver, template, id, directory, imagePath, share, isStem: true, signal },
    });
    cleanup.defer('machine of a stem', () => machine.kill());
    cleanup.defer('channel to a stem', () => agent.close());
    const warmedUp = warmUp(agent, signal)
      .then(() => warmUpShare(agent, signal))
      .then(() => comeToRest(agent, machine, signal));
    const nonce = await orDied(machine, warmedUp);
    await machine.pause();
    const stem = { template, record: machine.record, nonce };
    return {
      ...{ id, source: { driver, template }, isStem: true },
      bytes: (await readPrivateMemory(machine.record.pid)) ?? ASSUMED_BYTES,
      lost: machine.exited.then(({ reason }) => reason),
      start: (start) => fork(request, stem, start),
      discard: async () => {
        await machine.kill();
        await removeFolder();
      },
    };
  } catch (error) {
    throw await cleanup.fail(error);
  }
}

async function fork(
  { driver, imagePath }: MemberRequest,
  stem: Stem,
  start: WarmStart,
): Promise<SandboxMachine> {
  const cleanup = new Cleanup();
  try {
    await mkdir(start.directory, { mode: 0o711 });
    cleanup.defer('folder of a fork', () => rm(start.directory, { recursive: true, force: true }));
    // Where the answer got lost it runs, and nobody knows its process but by the folder that it names.
    cleanup.defer('process of a fork', () => killProcessesNaming(start.directory));
    const image = start.imagePath ?? imagePath;
    return await forkSandboxMachine({ driver, stem, ...start, imagePath: image });
  } catch (error) {
    throw await cleanup.fail(error);
  }
}
