import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { IMAGE } from '../support/engines/engine-image.ts';
import { EngineRoom, isOurRuntime, reasonToSkipEngine } from '../support/engines/engine-room.ts';
import { PODMAN_PROGRAMS, Podman } from '../support/engines/podman.ts';

const onlyOurs = !isOurRuntime && 'about virtual machines';
/** The pod's first container: no image of ours has a pause program. */
const INFRA = ['--infra-image', `localhost/${IMAGE}:latest`, '--infra-command', 'sleep 99999'];

describe('a pod of podman', { skip: reasonToSkipEngine(PODMAN_PROGRAMS) }, () => {
  let room: EngineRoom;
  let podman: Podman;
  before(async () => {
    room = await EngineRoom.open();
    podman = await Podman.open(room);
  });
  after(async () => {
    await podman?.clear();
    await room?.close();
  });

  const countMachines = () =>
    room.processes.filter(({ command }) => /qemu-system/.test(command)).length;

  it('shares a machine, a network and processes when asked', async () => {
    const share = ['--share', 'net,ipc,uts,pid'];
    await podman.succeed([
      'pod',
      'create',
      '--name',
      'one',
      '--network',
      'none',
      ...share,
      ...INFRA,
    ]);
    const server = 'mkdir /www; echo pod > /www/index.html; exec httpd -f -p 8080 -h /www';
    await podman.succeed([
      'run',
      '--detach',
      '--pod',
      'one',
      '--name',
      'server',
      IMAGE,
      'sh',
      '-c',
      server,
    ]);
    const fetch = 'until wget -q -O- http://127.0.0.1:8080/; do sleep 0.1; done';
    assert.equal(
      await podman.succeed(['run', '--rm', '--pod', 'one', IMAGE, 'sh', '-c', fetch]),
      'pod',
    );
    const list = ['run', '--rm', '--pod', 'one', IMAGE, 'ps', '-o', 'args'];
    assert.match(await podman.succeed(list), /httpd -f -p 8080/);
    const boot = ['cat', '/proc/sys/kernel/random/boot_id'];
    const first = await podman.succeed(['exec', 'server', ...boot]);
    assert.equal(await podman.succeed(['run', '--rm', '--pod', 'one', IMAGE, ...boot]), first);
  });

  it('is one machine', { skip: onlyOurs }, () => {
    assert.equal(countMachines(), 1);
  });

  it('keeps the exit codes of its containers, and the others when one ends', async () => {
    const run = ['run', '--pod', 'one'];
    assert.equal((await podman.run([...run, '--rm', IMAGE, 'sh', '-c', 'exit 9'])).exitCode, 9);
    assert.equal(await podman.inspect('server', '{{.State.Status}}'), 'running');
  });

  it('ends with all it has', async () => {
    await podman.succeed(['pod', 'rm', '--force', '--time', '0', 'one']);
    if (isOurRuntime) await room.assertNothingLeft(); // of crun's a group of the pod stays
  });

  it('lets a container share the network of another', async () => {
    await podman.succeed([
      'run',
      '--detach',
      '--name',
      'first',
      '--network',
      'none',
      IMAGE,
      'sh',
      '-c',
      'nc -l -p 99 -e echo hello; sleep 600',
    ]);
    const command = 'until nc 127.0.0.1 99; do sleep 0.1; done';
    const joined = ['run', '--rm', '--network', 'container:first', IMAGE, 'sh', '-c', command];
    assert.equal(await podman.succeed(joined), 'hello');
  });
});
