import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { WardianError } from '../util/errors.ts';
import type { CommandContext } from './command.ts';
import { forEachTarget } from './for-each-target.ts';

/** Calls that a sandboxer takes from one client; with more it hangs up. */
const MOST_CALLS = 1024;

class Collector extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += String(chunk);
    done();
  }
}

test('many targets are taken in groups, in order, and one failure stops none', async () => {
  const [stdout, stderr] = [new Collector(), new Collector()];
  const context = { stdout, stderr, debug: false } as unknown as CommandContext;
  const targets = Array.from({ length: 3000 }, (_, index) => `c${index}`);
  let [running, most] = [0, 0];
  const exitCode = await forEachTarget(
    context,
    { targets, exitCodes: { CONTAINER_NOT_FOUND: 1 } },
    async (target) => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      if (target === 'c7') throw new WardianError('CONTAINER_NOT_FOUND', 'no c7');
      return undefined;
    },
  );
  assert.equal(exitCode, 1);
  assert.ok(most < MOST_CALLS, `${most} at once`);
  const expected = targets.filter((target) => target !== 'c7').map((target) => `${target}\n`);
  assert.equal(stdout.text, expected.join(''));
  assert.match(stderr.text, /no c7/);
});
