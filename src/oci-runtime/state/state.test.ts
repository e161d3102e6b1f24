import assert from 'node:assert/strict';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { getOwnIdentity, type ProcessIdentity } from '../../host/process-identity.ts';
import { checkContainerId } from './container-id.ts';
import { withContainerLock } from './container-lock.ts';
import { type ContainerState, STATE_VERSION } from './container-state.ts';
import { listExecs, recordExec } from './exec-records.ts';
import {
  createContainerFolder,
  getContainerFolder,
  listContainerIds,
  readState,
  removeDrafts,
  replaceFile,
  writeState,
} from './state-folder.ts';
import { describeState, getStatus, isLeftover } from './status.ts';

let root = '';
const DEAD: ProcessIdentity = { ...getOwnIdentity(), startTime: '1' };

beforeEach(() => {
  root = path.join(mkdtempSync(path.join(tmpdir(), 'wardian-')), 'root');
});

afterEach(() => rmSync(path.dirname(root), { recursive: true, force: true }));

function makeState(change: Partial<ContainerState> = {}): ContainerState {
  return {
    version: STATE_VERSION,
    id: 'web',
    key: 'ab'.repeat(32),
    phase: 'started',
    creator: getOwnIdentity(),
    stub: getOwnIdentity(),
    isPaused: false,
    bundle: '/b',
    rootfs: '/b/rootfs',
    created: '2026-01-02T03:04:05Z',
    owner: 'root',
    annotations: {},
    cgroups: { directories: [], made: [] },
    hooks: { poststart: [], poststop: [] },
    ...change,
  };
}

test('ids are those of runc, and can be nothing but a name of a folder', () => {
  for (const id of ['a', 'A.b-c_d+e,f', '0'.repeat(64), '...', 'x'.repeat(255), 'vm.root.9.0.0']) {
    checkContainerId(id);
  }
  for (const id of [
    '',
    '.',
    '..',
    '../x',
    'a/b',
    'a b',
    'a\n',
    'é',
    ':1.2',
    'x'.repeat(256),
    'a\0',
  ]) {
    assert.throws(() => checkContainerId(id), { code: 'NAME_INVALID' }, JSON.stringify(id));
  }
});

test('the status is told by what is on disk and which processes live', () => {
  const statuses: [Partial<ContainerState>, string][] = [
    [{ phase: 'creating' }, 'creating'],
    [{ phase: 'creating', creator: DEAD }, 'stopped'],
    [{ phase: 'created', creator: DEAD }, 'created'],
    [{ phase: 'created', stub: DEAD }, 'stopped'],
    [{}, 'running'],
    [{ isPaused: true }, 'paused'],
    [{ isPaused: true, stub: DEAD }, 'stopped'],
  ];
  for (const [change, status] of statuses) assert.equal(getStatus(makeState(change)), status);
  assert.equal(isLeftover(makeState({ phase: 'creating', creator: DEAD })), true);
  assert.equal(isLeftover(makeState({ phase: 'creating' })), false);
  assert.equal(describeState(makeState()).pid, process.pid);
  assert.equal(describeState(makeState({ stub: DEAD })).pid, 0);
  assert.equal('annotations' in describeState(makeState()), false);
});

test('an id is taken by one, whole, and private', () => {
  const folder = createContainerFolder(root, makeState(), '{}');
  assert.deepEqual(readState(folder, 'web'), makeState());
  assert.equal(readFileSync(folder.config, 'utf8'), '{}');
  assert.equal(statSync(root).mode & 0o777, 0o700);
  assert.equal(statSync(folder.state).mode & 0o777, 0o600);
  assert.throws(() => createContainerFolder(root, makeState(), '{}'), {
    code: 'NAME_IN_USE',
    message: /exists already: "web"/,
  });
  assert.deepEqual(readdirSync(root), ['web']);
  assert.deepEqual(listContainerIds(root), ['web']);
});

test('a folder that its maker could not finish is no container, and goes', () => {
  mkdirSync(root, { mode: 0o700 });
  mkdirSync(path.join(root, `:${process.pid}.1`));
  mkdirSync(path.join(root, `:${process.pid}.${getOwnIdentity().startTime}`));
  assert.deepEqual(listContainerIds(root), []);
  removeDrafts(root);
  assert.deepEqual(readdirSync(root), [`:${process.pid}.${getOwnIdentity().startTime}`]);
  removeDrafts(path.join(root, 'nowhere'));
});

test('a state that is missing or damaged is told apart', () => {
  assert.deepEqual(listContainerIds(root), []);
  const folder = getContainerFolder(root, 'web');
  assert.throws(() => readState(folder, 'web'), {
    code: 'CONTAINER_NOT_FOUND',
    message: 'container "web" does not exist',
  });
  createContainerFolder(root, makeState(), '{}');
  for (const text of ['', '{', 'null', '[]', '{"version":99,"key":"x"}']) {
    writeFileSync(folder.state, text);
    assert.throws(() => readState(folder, 'web'), { code: 'STATE_CORRUPT' }, text);
  }
  writeState(folder, makeState({ isPaused: true }));
  assert.equal(readState(folder, 'web').isPaused, true);
});

test('a pid file appears whole, with its mode, and leaves no draft', () => {
  mkdirSync(root);
  const file = path.join(root, 'pid');
  replaceFile(file, '123', 0o644);
  assert.equal(readFileSync(file, 'utf8'), '123');
  assert.equal(statSync(file).mode & 0o777, 0o644);
  assert.throws(() => replaceFile(path.join(root, 'no/pid'), '1'), { code: 'ENOENT' });
  assert.deepEqual(readdirSync(root), ['pid']);
});

test('one command changes a container at a time, and none one that is gone', async () => {
  const folder = createContainerFolder(root, makeState(), '{}');
  const order: string[] = [];
  await Promise.all(
    ['a', 'b'].map((name) =>
      withContainerLock(folder, async () => {
        order.push(name);
        await new Promise((resolve) => setTimeout(resolve, 20));
        order.push(name);
      }),
    ),
  );
  assert.equal(order[0], order[1]);
  assert.equal(order[2], order[3]);
  rmSync(folder.path, { recursive: true });
  await assert.rejects(
    withContainerLock(folder, async () => {}),
    { code: 'CONTAINER_NOT_FOUND' },
  );
});

test('processes of exec are known while they live', () => {
  const folder = createContainerFolder(root, makeState(), '{}');
  recordExec(folder, DEAD);
  recordExec(folder, getOwnIdentity());
  assert.deepEqual(listExecs(folder), [getOwnIdentity()]);
  assert.deepEqual(readdirSync(folder.execs), [`${process.pid}.${getOwnIdentity().startTime}`]);
  rmSync(folder.path, { recursive: true });
  recordExec(folder, getOwnIdentity()); // deleted meanwhile
  assert.deepEqual(listExecs(folder), []);
});
