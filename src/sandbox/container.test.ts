import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { AgentClient } from '../agent/agent-client.ts';
import type { VirtualMachine } from '../hypervisor/driver.ts';
import type { GuestProcess } from '../oci/guest-operations.ts';
import { Container } from './container.ts';
import { ProcessIo, STREAM_START } from './process-io.ts';
import { Sandbox } from './sandbox.ts';
import type { SandboxState } from './sandbox-state.ts';

const ID = 'a'.repeat(64);
const EXEC_ID = 'b'.repeat(64);
const EXITED = { exitCode: 3, signal: 0, outOfMemory: false };

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'wardian-sandbox-'));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A container whose guest does what it is asked for, and what it was asked for. */
function makeContainer(machine: Partial<VirtualMachine> = {}) {
  const calls: string[] = [];
  const io = new ProcessIo({ containerId: ID, execId: '' }, STREAM_START);
  const stdio = { exit: new Promise(() => {}), acknowledge: () => {}, endStdin: () => {} };
  const agent = {
    ended: new Promise(() => {}),
    openStdio: () => stdio,
    exec: async () => ({ pid: 7, execErrno: 0, execMessage: '' }),
    signalProcess: async ({ signal, execId }: { signal: number; execId: string }) => {
      calls.push(`signal ${signal} to ${execId === EXEC_ID ? 'exec' : execId}`);
    },
    deleteProcess: async () => {},
    close: () => {},
  } as unknown as AgentClient;
  const state: SandboxState = {
    version: 1,
    id: ID,
    name: 'web',
    image: { reference: 'busybox', id: 'c' },
    createdAtMs: 0,
    request: {},
    spec: '{}',
    stopSignal: 15,
    owned: false,
    status: 'running',
    error: '',
    execs: [],
  };
  const vmm = {
    record: { directory: path.join(directory, 'machine') },
    exited: new Promise(() => {}),
    kill: async () => {},
    ...machine,
  } as unknown as VirtualMachine;
  const sandbox = new Sandbox(vmm, agent);
  const container = new Container({ directory, state, sandbox, io });
  return { container, io, calls };
}

const PLAN = { execId: EXEC_ID, process: { args: ['true'] } as unknown as GuestProcess };

test('a process that cannot be written down is ended, and nothing else with it', async () => {
  const { container, calls } = makeContainer();
  rmSync(directory, { recursive: true }); // as good as a full disk: the state cannot be written
  await assert.rejects(container.exec({ ...PLAN, owned: false }), { code: 'ENOENT' });
  assert.deepEqual(calls, ['signal 9 to exec']);
  assert.equal(container.running, true);
});

test('the end of a process that cannot be written down disturbs nobody', async () => {
  const { container } = makeContainer();
  await container.exec({ ...PLAN, owned: false });
  rmSync(directory, { recursive: true });
  container.getProcess(EXEC_ID)?.end(EXITED);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(container.getProcess(EXEC_ID), undefined);
  assert.deepEqual(container.state.execs, []);
});

test('a container has ended even when its machine does not go', async () => {
  const stuck = () => Promise.reject(new Error('it is stuck'));
  const { container, io } = makeContainer({ kill: stuck });
  io.end(EXITED);
  assert.deepEqual(await container.finished, EXITED);
  assert.equal(container.state.error, 'virtual machine: it is stuck');
});

test('the folder of a machine goes with it, wherever that lies', async () => {
  const elsewhere = path.join(directory, 'pool', 'member');
  mkdirSync(elsewhere, { recursive: true });
  const { container, io } = makeContainer({
    record: { driver: 'fake', id: 'm', pid: 1, pidStartTicks: '1', directory: elsewhere },
  });
  io.end(EXITED);
  await container.finished;
  assert.ok(!existsSync(elsewhere));
});
