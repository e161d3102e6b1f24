import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { runProgram } from './run-program.ts';

test('exit code and output of a program are returned', async () => {
  const signals = new EventEmitter();
  const result = await runProgram(['sh', '-c', 'echo words; exit 3'], { signals, captures: true });
  assert.deepEqual(result, { exitCode: 3, output: 'words\n' });
});

test('a signal is passed on, and is told by the exit code', async () => {
  const signals = new EventEmitter();
  const running = runProgram(['sleep', '60'], { signals });
  while (signals.listenerCount('SIGTERM') === 0) await delay(1);
  signals.emit('SIGTERM', 'SIGTERM');
  assert.equal((await running).exitCode, 128 + 15);
  assert.equal(signals.listenerCount('SIGTERM'), 0);
});

test('a program that is not there is an error', async () => {
  await assert.rejects(runProgram(['/no/such/program'], { signals: new EventEmitter() }), {
    code: 'ENOENT',
  });
});
