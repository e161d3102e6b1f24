import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { EngineRoom, isOurRuntime, reasonToSkipEngine } from '../support/engines/engine-room.ts';
import { SLURM_PROGRAMS, startSlurm, writeBundle } from '../support/engines/slurm.ts';

describe('srun --container', { skip: reasonToSkipEngine(SLURM_PROGRAMS) }, () => {
  let room: EngineRoom;
  let bundle: string;
  before(async () => {
    room = await EngineRoom.open();
    await startSlurm(room);
    bundle = writeBundle(room);
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

  it('runs one task after the other', async () => {
    for (const text of ['1', '2'])
      assert.equal((await srun('/bin/echo', text)).stdout, `${text}\n`);
  });

  it('ends a job that is cancelled', async () => {
    const script = 'trap "exit 3" TERM; while :; do sleep 0.1; done';
    const argv = ['srun', '--job-name', 'long', '--container', bundle, '/bin/sh', '-c', script];
    const job = room.run(argv);
    for (const deadline = Date.now() + 20_000; ; await delay(100)) {
      const query = ['squeue', '--noheader', '--name', 'long', '--format', '%T'];
      if ((await room.succeed(query)) === 'RUNNING') break;
      assert.ok(Date.now() < deadline, 'the job does not run');
    }
    await delay(1500);
    await room.succeed(['scancel', '--name', 'long']);
    assert.match((await job).stderr, /CANCELLED|Terminated/);
    await room.assertNothingLeft();
  });
});
