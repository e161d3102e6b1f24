import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { Progress } from './progress.ts';

function collect(isTTY: boolean, columns = 80) {
  const written: string[] = [];
  const stream = {
    isTTY,
    columns,
    write: (text: string | Uint8Array) => {
      written.push(String(text));
      return true;
    },
  };
  return { written, progress: new Progress(stream as never, 'set-up') };
}

test('elsewhere than on a terminal a step is two plain lines', async () => {
  const { written, progress } = collect(false);
  await progress.step('kernel', async (report) => report('unpacking'));
  assert.equal(written.length, 2);
  assert.equal(written[0], 'set-up: kernel ...\n');
  assert.match(written[1] ?? '', /^set-up: kernel: done in \d+\.\d s\n$/);
});

test('on a terminal a step is one line that moves and tells what is being done', async () => {
  const { written, progress } = collect(true, 30);
  await progress.step('kernel', async (report) => {
    report('unpacking something with a very long name');
    await wait(150);
  });
  assert.ok(written.some((text) => text.includes('unpacking')));
  const drawn = written.slice(0, -1).map((text) => text.slice('\r\x1b[K'.length));
  assert.ok(drawn.every((text) => [...text].length < 30 && !text.includes('\n')));
  assert.match(written.at(-1) ?? '', /✓ kernel {2}\d+\.\d s\n$/);
});

test('a step that fails is marked, and its error goes on', async () => {
  const { written, progress } = collect(true);
  await assert.rejects(
    progress.step('kernel', () => Promise.reject(new Error('no network'))),
    /no network/,
  );
  assert.match(written.at(-1) ?? '', /✗ kernel/);
});
