import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SandboxState } from '../sandbox/sandbox-state.ts';
import {
  type AttachableProcess,
  type ContainerEntry,
  ContainerRegistry,
} from './container-registry.ts';

function makeEntry(id: string, name: string): ContainerEntry {
  const state = { id, name, status: 'exited' } as SandboxState;
  return { state, directory: '', container: undefined, done: Promise.resolve() };
}

const FIRST = 'a'.repeat(64);
const SECOND = `ab${'0'.repeat(62)}`;

test('a container is found by name, id, and a prefix that no other has', () => {
  const registry = new ContainerRegistry();
  const [first, second] = [makeEntry(FIRST, 'one'), makeEntry(SECOND, 'two')];
  registry.add(first);
  registry.add(second);
  assert.equal(registry.find('one'), first);
  assert.equal(registry.find(SECOND), second);
  assert.equal(registry.find('ab0'), second);
  assert.throws(() => registry.find('a'), /beginning of 2 container ids/);
  assert.throws(() => registry.find('three'), { code: 'CONTAINER_NOT_FOUND' });
  assert.throws(() => registry.find('__proto__'), { code: 'CONTAINER_NOT_FOUND' });
});

test('a name is taken from its reservation on, and free again afterwards', () => {
  const registry = new ContainerRegistry();
  const { release } = registry.reserve(FIRST, 'one');
  assert.throws(() => registry.reserve(SECOND, 'one'), { code: 'NAME_IN_USE' });
  release();
  assert.equal(registry.reserve(SECOND, 'one').name, 'one');
  const entry = makeEntry(SECOND, 'one');
  registry.add(entry);
  assert.throws(() => registry.reserve(FIRST, 'one'), { code: 'NAME_IN_USE' });
  registry.delete(entry);
  assert.equal(registry.reserve(FIRST, 'one').name, 'one');
});

test('names that could leave their folder or mislead a reader are refused', () => {
  const registry = new ContainerRegistry();
  for (const name of ['', '.', '../x', 'a/b', 'a b', '-x', 'x'.repeat(129), 'a\n']) {
    assert.throws(
      () => registry.reserve(FIRST, name),
      { code: 'NAME_INVALID' },
      JSON.stringify(name),
    );
  }
});

test('invented names are all different', () => {
  const registry = new ContainerRegistry();
  const names = Array.from({ length: 3000 }, (_, index) => {
    const id = index.toString(16).padStart(64, '0');
    return registry.reserve(id, undefined).name;
  });
  assert.equal(new Set(names).size, names.length);
});

test('who attaches while a process starts waits for it and hears of long steps', async () => {
  const registry = new ContainerRegistry();
  const process = {} as AttachableProcess;
  let tell = (_line: string): void => {};
  let finish = (): void => {};
  const started = registry.whileStarting(FIRST, async (onProgress) => {
    tell = onProgress;
    await new Promise<void>((resolve) => {
      finish = resolve;
    });
    return process;
  });
  const lines: string[] = [];
  const starting = registry.getStarting(FIRST);
  starting?.listeners.add((line) => lines.push(line));
  tell('making a template');
  assert.equal(registry.isBusy, true);
  finish();
  assert.equal(await starting?.process, process);
  assert.equal(await started, process);
  assert.deepEqual(lines, ['making a template']);
  assert.equal(registry.getStarting(FIRST), undefined);
  assert.equal(registry.isBusy, false);
});

test('a start that fails is told to both', async () => {
  const registry = new ContainerRegistry();
  const started = registry.whileStarting(FIRST, () => Promise.reject(new Error('no luck')));
  const waiting = registry.getStarting(FIRST)?.process;
  await assert.rejects(started, /no luck/);
  await assert.rejects(waiting ?? Promise.resolve(), /no luck/);
});

test('an id is started once at a time, and the second start does not disturb the first', async () => {
  const registry = new ContainerRegistry();
  let finish = (_process: AttachableProcess): void => {};
  const first = registry.whileStarting(
    FIRST,
    () => new Promise<AttachableProcess>((resolve) => (finish = resolve)),
  );
  const second = registry.whileStarting(FIRST, () => Promise.reject(new Error('must not run')));
  await assert.rejects(second, { code: 'NAME_IN_USE' });
  assert.notEqual(registry.getStarting(FIRST), undefined);
  finish({} as AttachableProcess);
  await first;
});
