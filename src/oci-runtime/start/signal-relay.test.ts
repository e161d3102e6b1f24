import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import type { Stub } from '../../host/stub-process.ts';
import { SignalRelay } from './signal-relay.ts';

function makeStub(): { stub: Stub; got: string[] } {
  const got: string[] = [];
  const stub = { kill: (name: string) => got.push(name) } as unknown as Stub;
  return { stub, got };
}

test('signals are passed on once there is a process, and not after the end', () => {
  const source = new EventEmitter();
  const relay = new SignalRelay(source);
  const { stub, got } = makeStub();
  source.emit('SIGUSR1', 'SIGUSR1'); // nobody is there yet whom it could tell something
  relay.passOnTo(stub);
  for (const name of ['SIGTERM', 'SIGWINCH', 'SIGINT']) source.emit(name, name);
  relay.stop();
  assert.deepEqual(got, ['SIGTERM', 'SIGWINCH', 'SIGINT']);
  assert.equal(relay.exitCode, undefined);
  assert.deepEqual(source.eventNames(), []);
});

test('one that ends commands ends this one while there is no process, and a second one does at once', () => {
  const source = new EventEmitter();
  const relay = new SignalRelay(source);
  source.emit('SIGINT', 'SIGINT');
  assert.equal(relay.exitCode, 130);
  assert.equal(source.listenerCount('SIGINT'), 0);
  const { stub, got } = makeStub();
  relay.passOnTo(stub); // of a command that cannot be undone any more
  source.emit('SIGTERM', 'SIGTERM');
  assert.deepEqual(got, ['SIGINT', 'SIGTERM']);
});
