import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findProvisionalKey, waitUntilUnneeded } from './provisional.ts';
import type { Sandboxer } from './sandboxer.ts';

const KEY = 'a'.repeat(64);

type Watched = Pick<Sandboxer, 'engine' | 'registry'>;

/** A sandboxer that makes the container, and has it, as it is told. */
function makeSandboxer(parts: { container?: { finished: Promise<void> }; isMaking?: boolean }) {
  return {
    engine: { get: () => ({ container: parts.container }) },
    registry: { getStarting: () => (parts.isMaking ? {} : undefined) },
  } as unknown as Watched;
}

test('only a container’s key makes a sandboxer provisional', () => {
  assert.equal(findProvisionalKey({ WARDIAN_PROVISIONAL: KEY }), KEY);
  for (const value of [undefined, '', '1', KEY.slice(1)]) {
    assert.equal(findProvisionalKey({ WARDIAN_PROVISIONAL: value }), undefined);
  }
});

test('it stays until its container is over', async () => {
  let finish = (): void => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  let isOver = false;
  const waiting = waitUntilUnneeded(makeSandboxer({ container: { finished } }), KEY, () => false);
  void waiting.then(() => {
    isOver = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 400));
  assert.equal(isOver, false);
  finish();
  await waiting;
});

test('it leaves when its container was never made, and nobody is connected', async () => {
  let looks = 0;
  await waitUntilUnneeded(makeSandboxer({}), KEY, () => {
    looks += 1;
    return looks < 2;
  });
  assert.equal(looks, 2);
});
