import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { IMAGE } from '../support/engines/engine-image.ts';
import { EngineRoom, isOurRuntime, reasonToSkipEngine } from '../support/engines/engine-room.ts';
import { PODMAN_PROGRAMS, Podman } from '../support/engines/podman.ts';

const skip = isOurRuntime ? reasonToSkipEngine(PODMAN_PROGRAMS) : 'about our processes';
/** From before our runtime starts until after the container does, on a machine of this kind. */
const MOMENTS_MS = [60, 120, 180, 240, 320, 420, 600];

describe('what befalls the processes around a container of podman', { skip }, () => {
  let room: EngineRoom;
  let podman: Podman;
  before(async () => {
    room = await EngineRoom.open();
    podman = await Podman.open(room);
  });
  afterEach(async () => {
    await podman.clear();
    await room.assertNothingLeft();
  });
  after(() => room?.close());

  async function start(...argv: string[]): Promise<string> {
    const name = `c${randomBytes(4).toString('hex')}`;
    await podman.succeed(['run', '--detach', '--name', name, '--network', 'none', ...argv]);
    return name;
  }

  /** podman asks for no `delete` where its monitor was killed, whatever the runtime is. */
  async function deleteForgotten(): Promise<void> {
    const ids = await room.succeed([room.runtime, 'list', '--quiet']);
    for (const id of ids.split('\n').filter(Boolean)) {
      await room.succeed([room.runtime, 'delete', '--force', id]);
    }
  }

  const find = (pattern: RegExp) => room.processes.filter(({ command }) => pattern.test(command));
  const findOne = (pattern: RegExp) => {
    const found = find(pattern);
    assert.equal(found.length, 1, `${pattern}: ${found.map(({ command }) => command).join('; ')}`);
    return found[0] as (typeof found)[0];
  };
  const kill = (pattern: RegExp) => process.kill(findOne(pattern).pid, 'SIGKILL');
  const [CONMON, STUB, MACHINE] = [/^\/usr\/bin\/conmon /, /\/stub --socket/, /^\S*qemu-system/];

  it('finds nothing below conmon that stays longer than the container', async () => {
    await start(IMAGE, 'sleep', '600');
    const conmon = findOne(CONMON);
    const children = room.processes.filter((child) => child.parentRoomPid === conmon.roomPid);
    const others = children.filter(({ command }) => !STUB.test(command) && !MACHINE.test(command));
    assert.deepEqual(others, []);
    assert.ok(children.some(({ command }) => STUB.test(command)));
    await podman.succeed(['kill', '--all']);
    for (const deadline = Date.now() + 5000; find(CONMON).length > 0; await delay(50)) {
      assert.ok(Date.now() < deadline, 'conmon stays');
    }
  });

  it('goes on when the sandboxer is killed', async () => {
    const name = await start(IMAGE, 'sh', '-c', 'sleep 2; echo still here; sleep 600');
    process.kill(findOne(/^\S*node \S*sandboxer\.cjs$/).pid, 'SIGKILL');
    assert.equal(await podman.succeed(['exec', name, 'echo', 'adopted']), 'adopted');
    for (const deadline = Date.now() + 30_000; ; await delay(100)) {
      if ((await podman.succeed(['logs', name])) === 'still here') break;
      assert.ok(Date.now() < deadline, 'its output is lost');
    }
  });

  it('ends the container with its stub', async () => {
    const name = await start(IMAGE, 'sleep', '600');
    kill(STUB);
    assert.equal(await podman.succeed(['wait', name]), '137');
    assert.deepEqual(find(MACHINE), []);
  });

  it('ends the container with its machine', async () => {
    const name = await start(IMAGE, 'sleep', '600');
    kill(MACHINE);
    assert.notEqual(await podman.succeed(['wait', name]), '0');
  });

  it('removes what has lost its monitor', async () => {
    const name = await start(IMAGE, 'sleep', '600');
    kill(CONMON);
    await podman.succeed(['rm', '--force', '--time', '0', name]);
    await deleteForgotten();
  });

  for (const moment of MOMENTS_MS) {
    it(`leaves nothing when all of a start is killed after ${moment} ms`, async () => {
      const argv = ['run', '--name', 'killed', '--network', 'none', IMAGE, 'sleep', '600'];
      const child = room.start(podman.command(...argv));
      await delay(moment);
      for (const { pid } of find(/^(\S*podman|\S*conmon|\S*node -- \S*runtime\.cjs) /)) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {} // ESRCH: ended meanwhile
      }
      child.kill('SIGKILL');
      await podman.run(['rm', '--force', '--time', '0', 'killed']);
      await deleteForgotten();
    });
  }
});
