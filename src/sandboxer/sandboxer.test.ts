import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { ImageStore } from '../image/image-store.ts';
import type { Container } from '../sandbox/container.ts';
import type { SandboxServices } from '../sandbox/start-machine.ts';
import { adoptAll } from './adopt-all.ts';
import { Sandboxer } from './sandboxer.ts';

const ID = 'a'.repeat(64);
const SPEC = JSON.stringify({ ociVersion: '1.0.2', process: { cwd: '/', args: ['true'] } });

let folder: string;
let services: SandboxServices;
let sandboxer: Sandboxer;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'wardian-sandboxer-'));
  services = { runtimeDirectory: folder } as SandboxServices;
  const images = {} as ImageStore;
  sandboxer = new Sandboxer({ services, images, dataDirectory: folder });
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function makeState(id: string, autoRemove: boolean) {
  return {
    version: 1 as const,
    id,
    name: `c${id.slice(0, 4)}`,
    image: { reference: 'busybox', id: 'c' },
    createdAtMs: 0,
    request: { autoRemove, labels: {} },
    spec: SPEC,
    stopSignal: 15,
    owned: false,
    status: 'exited' as const,
    error: '',
    execs: [],
  };
}

/** Adds a container that has ended, but for what comes after its end. */
function addEnding(autoRemove: boolean): { finish: () => void; directory: string } {
  const directory = path.join(folder, 'sandbox');
  mkdirSync(directory);
  let finish = (): void => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const state = makeState(ID, autoRemove);
  sandboxer.addContainer({ directory, state, running: false, finished } as unknown as Container);
  return { finish, directory };
}

/** What an earlier sandboxer left of a container that has ended. */
function leaveEnded(id: string, changes: object = {}): string {
  const directory = path.join(folder, 'sandboxes', id.slice(0, 16));
  mkdirSync(directory, { recursive: true });
  const state = { ...makeState(id, false), ...changes };
  writeFileSync(path.join(directory, 'state.json'), JSON.stringify(state));
  return directory;
}

/** A folder in the place of a container's log: it cannot be removed as a file. */
function blockLog(id: string): void {
  mkdirSync(path.join(folder, 'logs', `${id}.log`), { recursive: true });
}

test('a container is not removed from under its end', async () => {
  const { finish, directory } = addEnding(false);
  const removed = sandboxer.remove(ID, false, 0);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(existsSync(directory), true);
  finish();
  await removed;
  assert.equal(existsSync(directory), false);
  assert.deepEqual(sandboxer.list(true), []);
});

test('a container that cannot be removed at its end stays in the list', async () => {
  blockLog(ID);
  const { finish } = addEnding(true);
  finish();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(sandboxer.list(true).length, 1);
  await assert.rejects(sandboxer.wait(ID), { code: 'EISDIR' });
});

test('damaged states are cleared away, and one that cannot be does not keep the others', async () => {
  const [good, damaged, stuck] = ['1', '2', '3'].map((digit) => digit.repeat(64)) as [
    string,
    string,
    string,
  ];
  leaveEnded(good);
  const damagedFolder = leaveEnded(damaged, { spec: 'not a specification' });
  leaveEnded(stuck, { request: null });
  blockLog(stuck);
  const lines: string[] = [];
  await adoptAll(sandboxer, services, (line) => lines.push(line));
  assert.deepEqual(
    sandboxer.list(true).map(({ id }) => id),
    [good],
  );
  assert.equal(existsSync(damagedFolder), false);
  assert.match(lines.sort().join('\n'), /^cleared .*2222 away: .*\ncould not clear .*3333 away/);
});

const STUB = { pid: 1, startTicks: '1' };

/** How the stub of an engine's container hears of an end that it missed. */
async function attachStub(container: string) {
  const stream = {
    send: () => {},
    drained: async () => {},
    onFrame: () => {},
    signal: new AbortController().signal,
    closed: new Promise<void>(() => {}),
  };
  const request = { container, stdin: true, owner: true, from: 'start' as const };
  return await sandboxer.attach(request, stream);
}

test('an engine’s container that ended under an earlier sandboxer has its exit code until it is deleted', async () => {
  const exit = { exitCode: 4, signal: 0, outOfMemory: false };
  const left = leaveEnded(ID, { engine: { stub: STUB }, exit });
  await adoptAll(sandboxer, services, () => {});
  assert.deepEqual(sandboxer.list(true), []);
  assert.deepEqual(sandboxer.count(), { running: 0, exited: 1 });
  assert.equal(sandboxer.isBusy, false);
  assert.deepEqual(await attachStub(ID), exit);
  await assert.rejects(sandboxer.remove(ID, true, 0), { code: 'CONTAINER_NOT_FOUND' });
  await sandboxer.engine.delete(ID);
  assert.equal(existsSync(left), false);
  await sandboxer.engine.delete(ID);
  assert.deepEqual(sandboxer.count(), { running: 0, exited: 0 });
});

test('of engines’ containers, too, what was half-made is cleared away, and what lost its sandbox', async () => {
  const [halfMade, orphan] = ['4', '5'].map((digit) => digit.repeat(64)) as [string, string];
  const status = 'created';
  const folders = [
    leaveEnded(halfMade, { status, engine: { stub: STUB } }),
    leaveEnded(orphan, { status: 'running', engine: { stub: STUB, sandbox: '6'.repeat(64) } }),
  ];
  const lines: string[] = [];
  await adoptAll(sandboxer, services, (line) => lines.push(line));
  assert.deepEqual(
    folders.map((left) => existsSync(left)),
    [false, false],
  );
  assert.match(lines.sort().join('\n'), /4444 away: .*made\ncleared .*5555 away: its sandbox/);
});

test('who had joined a sandbox that ended unseen has ended with it', async () => {
  const second = '7'.repeat(64);
  leaveEnded(ID, { engine: { stub: STUB }, exit: { exitCode: 0, signal: 0, outOfMemory: false } });
  leaveEnded(second, { status: 'running', engine: { stub: STUB, sandbox: ID } });
  await adoptAll(sandboxer, services, () => {});
  const { exitCode, sandboxFailure } = await attachStub(second);
  assert.equal(exitCode, 137);
  assert.match(sandboxFailure ?? '', /its sandbox has ended/);
});
