import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { writeEngineRootfs } from '../support/engines/engine-image.ts';
import { EngineRoom, isOurRuntime, reasonToSkipEngine } from '../support/engines/engine-room.ts';
import { SLURM_PROGRAMS, startSlurm, writeBundle } from '../support/engines/slurm.ts';

describe('srun --container', { skip: reasonToSkipEngine(SLURM_PROGRAMS) }, () => {
  let room: EngineRoom;
  let bundle: string;
  before(async () => {
    room = await EngineRoom.open();
    await startSlurm(room);
    const rootfs = path.join(room.directory, 'rootfs');
    writeEngineRootfs(rootfs);
    bundle = writeBundle(room, rootfs, 'bundle');
  });
  after(async () => {
    await room?.close();
  });

  const srun = (...argv: string[]) => room.run(['srun', '--container', bundle, ...argv]);

  it('hands on output, errors and the exit code', async () => {
    const { exitCode, stdout, stderr } = await srun(
      '/bin/sh',
      '-c',
      'echo out; echo err >&2; exit 7',
    );
    assert.equal(stdout, 'out\n', stderr);
    assert.match(stderr, /^err$/m);
    assert.equal(exitCode, 7);
  });

  it('runs in a machine with a kernel of its own', {
    skip: !isOurRuntime && 'about virtual machines',
  }, async () => {
    const file = '/proc/sys/kernel/random/boot_id';
    const { stdout, stderr } = await srun('/bin/cat', file);
    assert.match(stdout, /^[0-9a-f-]{36}\n$/, stderr);
    assert.notEqual(stdout.trim(), await room.succeed(['cat', file]));
  });

  it('runs one task after the other, and several at once', async () => {
    for (const text of ['1', '2'])
      assert.equal((await srun('/bin/echo', text)).stdout, `${text}\n`);
    const { stdout } = await srun('--ntasks', '3', '--overcommit', '/bin/echo', 'task');
    assert.equal(stdout, 'task\n'.repeat(3));
  });

  it('ends a job that is cancelled', async () => {
    const job = room.run([
      'srun',
      '--job-name',
      'long',
      '--container',
      bundle,
      '/bin/sleep',
      '600',
    ]);
    for (const deadline = Date.now() + 20_000; Date.now() < deadline; ) {
      const states = await room.succeed([
        'squeue',
        '--noheader',
        '--name',
        'long',
        '--format',
        '%T',
      ]);
      if (states === 'RUNNING') break;
      await delay(100);
    }
    await delay(1500);
    await room.succeed(['scancel', '--name', 'long']);
    assert.notEqual((await job).exitCode, 0);
  });
});
