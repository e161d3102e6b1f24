import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { IMAGE } from '../support/engines/engine-image.ts';
import { EngineRoom, reasonToSkipEngine } from '../support/engines/engine-room.ts';
import { PODMAN_PROGRAMS, Podman } from '../support/engines/podman.ts';

/** Ctrl-P, Ctrl-Q. */
const DETACH = '\x10\x11';

describe('podman on a terminal', {
  skip: reasonToSkipEngine([...PODMAN_PROGRAMS, 'script']),
}, () => {
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

  const run = ['run', '--rm', '--interactive', '--tty', '--network', 'none'];

  it('types into a shell, and leaves with its code', async () => {
    const terminal = podman.openTerminal([...run, IMAGE, 'sh'], 'stty rows 33 cols 99');
    await terminal.waitFor(/\/ # /);
    terminal.type('tty; echo size $(stty size)\r');
    await terminal.waitFor(/\/dev\/pts\/0\r\nsize 33 99\r\n/);
    terminal.type('exit 5\r');
    assert.equal(await terminal.closed, 5);
  });

  it('interrupts with Ctrl-C', async () => {
    const terminal = podman.openTerminal([
      ...run,
      IMAGE,
      'sh',
      '-c',
      'trap "exit 6" INT; echo up; while :; do sleep 0.1; done',
    ]);
    await terminal.waitFor(/up/);
    terminal.type('\x03');
    assert.equal(await terminal.closed, 6);
  });

  it('follows a change of size', async () => {
    const resize = 'stty rows 40 cols 100; (sleep 2; stty rows 50 cols 120 < /dev/tty) &';
    const script =
      'echo up; until [ "$(stty size)" = "50 120" ]; do sleep 0.1; done; stty size; exit 8';
    const terminal = podman.openTerminal([...run, IMAGE, 'sh', '-c', script], resize);
    await terminal.waitFor(/50 120/);
    assert.equal(await terminal.closed, 8);
  });

  it('lets go and comes back', async () => {
    const name = 'detached';
    const argv = ['run', '--interactive', '--tty', '--network', 'none', '--name', name];
    const first = podman.openTerminal([...argv, IMAGE, 'sh']);
    await first.waitFor(/\/ # /);
    first.type('echo fir""st\r');
    await first.waitFor(/first/);
    for (const key of DETACH) {
      first.type(key);
      await delay(200); // podman knows a key of the sequence by its coming alone
    }
    await first.closed;
    assert.equal(await podman.inspect(name, '{{.State.Status}}'), 'running');
    const second = podman.openTerminal(['attach', name]);
    second.type('echo sec""ond\r');
    await second.waitFor(/second/);
    second.type('exit 4\r');
    await second.closed;
    assert.equal(await podman.succeed(['wait', name]), '4');
  });

  it('executes on a terminal of its own', async () => {
    const name = 'terminal-exec';
    await podman.startSleeper(name, IMAGE);
    const exec = podman.openTerminal(
      ['exec', '--interactive', '--tty', name, 'sh'],
      'stty rows 21 cols 77',
    );
    await exec.waitFor(/\/ # /);
    exec.type('stty size; test -t 0 && echo is a terminal\r');
    await exec.waitFor(/21 77\r\nis a terminal/);
    exec.type('exit 3\r');
    assert.equal(await exec.closed, 3);
  });
});
