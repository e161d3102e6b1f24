import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { afterEach, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { identifyProcess } from '../../host/process-identity.ts';
import type { StubProcess } from '../../sandbox/sandbox-state.ts';
import { isStubAlive, StubWatch } from './stub-watch.ts';

let child: ChildProcess | undefined;
afterEach(() => child?.kill('SIGKILL'));

function startStub(): StubProcess {
  child = spawn('sleep', ['600'], { stdio: 'ignore' });
  const pid = child.pid ?? 0;
  return { pid, startTicks: identifyProcess(pid)?.startTime ?? '' };
}

async function killStub(): Promise<void> {
  const exited = new Promise((resolve) => child?.once('exit', resolve));
  child?.kill('SIGKILL');
  await exited;
}

test('a stub is the process with its start time, not another one with its pid', async () => {
  const stub = startStub();
  assert.equal(isStubAlive(stub), true);
  assert.equal(isStubAlive({ ...stub, startTicks: '1' }), false);
  await killStub();
  assert.equal(isStubAlive(stub), false);
});

test('the end of a stub that is not connected is noticed, once', async () => {
  const stub = startStub();
  let ends = 0;
  const watch = new StubWatch(stub, () => {
    ends += 1;
  });
  watch.begin();
  await delay(60);
  assert.equal(ends, 0);
  await killStub();
  while (ends === 0) await delay(5);
  await delay(60);
  assert.equal(ends, 1);
});

test('a stub that is connected is not looked at', async () => {
  const stub = startStub();
  const watch = new StubWatch(stub, () => assert.fail('it was looked at'));
  watch.begin();
  watch.stop();
  await killStub();
  await delay(60);
});
