import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { IMAGE } from '../support/engines/engine-image.ts';
import { EngineRoom, reasonToSkipEngine } from '../support/engines/engine-room.ts';
import { PODMAN_PROGRAMS, Podman } from '../support/engines/podman.ts';

describe('files with podman', { skip: reasonToSkipEngine(PODMAN_PROGRAMS) }, () => {
  let room: EngineRoom;
  let podman: Podman;
  let folder: string;
  before(async () => {
    room = await EngineRoom.open();
    podman = await Podman.open(room);
    folder = path.join(room.directory, 'folder');
    mkdirSync(folder);
    writeFileSync(path.join(folder, 'file'), 'of the host\n');
  });
  after(async () => {
    await podman?.clear();
    await room?.close();
  });

  const run = (...argv: string[]) => podman.run(['run', '--rm', '--network', 'none', ...argv]);
  const print = (...argv: string[]) =>
    podman.succeed(['run', '--rm', '--network', 'none', ...argv]);

  it('shares a folder both ways, with owners', async () => {
    const script =
      'cat /mnt/file; echo guest > /mnt/new; chown 1000:1000 /mnt/new; chmod 640 /mnt/new';
    assert.equal(
      await print('--volume', `${folder}:/mnt`, IMAGE, 'sh', '-c', script),
      'of the host',
    );
    const file = path.join(folder, 'new');
    const { uid, gid, mode } = statSync(file);
    assert.deepEqual(
      [uid, gid, mode & 0o777, readFileSync(file, 'utf8')],
      [1000, 1000, 0o640, 'guest\n'],
    );
  });

  it('shares read-only, and single files', async () => {
    const file = path.join(folder, 'file');
    const flags = ['--volume', `${folder}:/ro:ro`, '--volume', `${file}:/etc/single`];
    const { stdout, stderr } = await run(
      ...flags,
      IMAGE,
      'sh',
      '-c',
      'cat /etc/single; echo > /ro/file',
    );
    assert.equal(stdout, 'of the host\n');
    assert.match(stderr, /Read-only file system/);
    assert.equal(readFileSync(file, 'utf8'), 'of the host\n');
  });

  it('sees what the host changes while it runs', async () => {
    const name = 'watcher';
    const flags = ['--detach', '--name', name, '--network', 'none', '--volume', `${folder}:/mnt`];
    await podman.succeed(['run', ...flags, IMAGE, 'sleep', '600']);
    const file = path.join(folder, 'live');
    writeFileSync(file, 'one\n');
    assert.equal(await podman.succeed(['exec', name, 'cat', '/mnt/live']), 'one');
    writeFileSync(file, 'another\n');
    assert.equal(await podman.succeed(['exec', name, 'cat', '/mnt/live']), 'another');
  });

  it('keeps volumes, and fills new ones from the image', async () => {
    const flags = ['--volume', 'kept:/etc'];
    await print(...flags, IMAGE, 'sh', '-c', 'echo kept > /etc/kept');
    const text = await print(...flags, IMAGE, 'sh', '-c', 'cat /etc/kept; head -c 4 /etc/passwd');
    assert.equal(text, 'kept\nroot');
  });

  it('copies both ways, running or not', async () => {
    const name = 'copies';
    await podman.startSleeper(name, IMAGE);
    const [source, target] = [path.join(folder, 'file'), path.join(folder, 'back')];
    await podman.succeed(['cp', source, `${name}:/tmp/in`]);
    assert.equal(await podman.succeed(['exec', name, 'cat', '/tmp/in']), 'of the host');
    await podman.succeed(['exec', name, 'sh', '-c', 'echo made > /made']);
    await podman.succeed(['cp', `${name}:/made`, target]);
    assert.equal(readFileSync(target, 'utf8'), 'made\n');
    await podman.succeed(['stop', '--time', '0', name]);
    await podman.succeed(['cp', `${name}:/tmp/in`, target]);
    assert.equal(readFileSync(target, 'utf8'), 'of the host\n');
  });

  it('makes an image of a container', async () => {
    const name = 'changed';
    const script = 'echo more > /more; rm /bin/vi; ln /more /same; sleep 600';
    await podman.succeed([
      'run',
      '--detach',
      '--name',
      name,
      '--network',
      'none',
      IMAGE,
      'sh',
      '-c',
      script,
    ]);
    for (; (await podman.run(['exec', name, 'test', '-e', '/same'])).exitCode !== 0; );
    assert.match(await podman.succeed(['diff', name]), /^A \/more$/m);
    await podman.succeed(['commit', '--quiet', name, 'changed']);
    const check = 'cat /more; stat -c %h /same; test -e /bin/vi || echo gone';
    assert.equal(await print('localhost/changed', 'sh', '-c', check), 'more\n2\ngone');
  });

  it('builds an image', async () => {
    const context = path.join(room.directory, 'context');
    mkdirSync(context);
    writeFileSync(path.join(context, 'data'), 'data\n');
    writeFileSync(
      path.join(context, 'Containerfile'),
      `FROM ${IMAGE}\nCOPY data /data\nRUN cat /data /data > /twice && id -u > /uid\nUSER user\nRUN id -u > /tmp/uid\nCMD cat /twice /uid /tmp/uid\n`,
    );
    const flags = ['--isolation', 'oci', '--network', 'none', '--runtime', room.runtime];
    await podman.succeed(['build', ...flags, '--tag', 'built', context]);
    assert.equal(await print('localhost/built'), 'data\ndata\n0\n1000');
    writeFileSync(path.join(context, 'Containerfile'), `FROM ${IMAGE}\nRUN exit 3\n`);
    const failed = await podman.run(['build', ...flags, '--tag', 'failed', context]);
    assert.equal(failed.exitCode, 3, failed.stderr);
  });
});
