import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { AgentClient } from '../agent/agent-client.ts';
import type { VirtualMachine, VirtualMachineExit } from '../hypervisor/driver.ts';
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
function makeContainer(machine: Partial<VirtualMachine> = {}, changes: Partial<SandboxState> = {}) {
  const calls: string[] = [];
  const id = changes.id ?? ID;
  const io = new ProcessIo({ containerId: id, execId: '' }, STREAM_START);
  const stdio = { exit: new Promise(() => {}), acknowledge: () => {}, endStdin: () => {} };
  const agent = {
    ended: new Promise(() => {}),
    openStdio: () => stdio,
    exec: async () => ({ pid: 7, execErrno: 0, execMessage: '' }),
    signalProcess: async ({ signal, execId }: { signal: number; execId: string }) => {
      calls.push(`signal ${signal} to ${execId === EXEC_ID ? 'exec' : execId}`);
    },
    deleteProcess: async () => {},
    startContainer: async () => ({ pid: 6, execErrno: 0, execMessage: '' }),
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
    ...changes,
  };
  const vmm = {
    record: { directory: path.join(directory, 'machine') },
    exited: new Promise(() => {}),
    kill: async () => {},
    ...machine,
  } as unknown as VirtualMachine;
  const sandbox = new Sandbox(vmm, agent);
  const container = new Container({ directory, state, sandbox, io });
  return { container, io, calls, sandbox };
}

const STUB = { pid: 1, startTicks: '1' };
const SECOND = 'c'.repeat(64);

/** A machine that ends when it is killed. */
function makeMortal(): Partial<VirtualMachine> & { readonly killed: boolean } {
  let end = (_: VirtualMachineExit): void => {};
  let killed = false;
  const exited = new Promise<VirtualMachineExit>((resolve) => {
    end = resolve;
  });
  return {
    exited,
    get killed() {
      return killed;
    },
    kill: async () => {
      killed = true;
      end({ exitCode: undefined, signal: 'SIGKILL', reason: 'it was killed' });
    },
  };
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

test('a container of an engine runs when it is started, and once', async () => {
  const { container } = makeContainer({}, { status: 'created', engine: { stub: STUB } });
  assert.deepEqual([container.running, container.isAlive], [false, true]);
  await assert.rejects(container.exec({ ...PLAN, owned: true }), { code: 'CONTAINER_NOT_RUNNING' });
  await container.start();
  assert.equal(container.running, true);
  await assert.rejects(container.start(), { code: 'CONTAINER_RUNNING' });
});

test('the end of an engine’s container is written down when its stub has the output', async () => {
  const machine = makeMortal();
  const { container, io } = makeContainer(machine, { engine: { stub: STUB } });
  io.end(EXITED);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual([container.state.status, machine.killed], ['running', false]);
  io.markTaken();
  assert.deepEqual(await container.ended, EXITED);
  assert.equal(container.state.status, 'exited');
  await container.finished;
  assert.equal(machine.killed, true);
});

test('a container that has joined ends alone, and with the sandbox without blame', async () => {
  const machine = makeMortal();
  const { container: own, io: ownIo, sandbox } = makeContainer(machine, { engine: { stub: STUB } });
  const [second, third] = [SECOND, 'd'.repeat(64)].map((id) => {
    const { state } = makeContainer({}, { id, engine: { stub: STUB, sandbox: ID } }).container;
    const io = new ProcessIo({ containerId: id, execId: '' }, STREAM_START);
    const home = path.join(directory, id);
    mkdirSync(home);
    return new Container({ directory: home, state, sandbox, io });
  }) as [Container, Container];
  second.io.markTaken();
  second.io.end(EXITED);
  assert.deepEqual(await second.finished, EXITED);
  assert.deepEqual([machine.killed, own.isAlive], [false, true]);
  for (const { io } of [own, third]) io.markTaken();
  ownIo.end(EXITED);
  assert.deepEqual(await own.finished, EXITED);
  assert.deepEqual(await third.finished, { exitCode: 137, signal: 9, outOfMemory: false });
  assert.equal(third.state.error, '');
});

test('a machine that dies by itself is named as the reason by all that lived in it', async () => {
  const machine = makeMortal();
  const { container, io } = makeContainer(machine, { engine: { stub: STUB } });
  io.markTaken();
  await machine.kill?.();
  assert.equal((await container.finished).sandboxFailure, 'it was killed');
});

test('an end that is not written down yet is left to the next sandboxer', async () => {
  let wasReleased = false;
  const machine = makeMortal();
  const release = (): void => {
    wasReleased = true;
  };
  const { container, io } = makeContainer({ ...machine, release }, { engine: { stub: STUB } });
  io.end(EXITED);
  container.release();
  io.markTaken();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual([wasReleased, machine.killed, container.isAlive], [true, false, true]);
});
