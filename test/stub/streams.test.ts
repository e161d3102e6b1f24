import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { WardianError } from '../../src/util/errors.ts';
import { KEY, makeBytes, StubRun } from './stub-run.ts';

const LARGE_BYTES = 8 * 1024 * 1024;
const WINDOW_BYTES = 256 * 1024;
/** More than the kernel and Node take of it when nobody reads, by less than the window. */
const STUCK_BYTES = WINDOW_BYTES + 128 * 1024;

/** Looks again until it holds: what another process does cannot be waited for otherwise. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await wait(10);
}

describe('streams of the stub', { timeout: 120_000 }, () => {
  let run: StubRun;
  beforeEach(() => {
    run = new StubRun();
  });
  afterEach(() => run.close());

  it('brings output and the exit code, in their places', async () => {
    await run.start();
    run.process.write('stdout', 'hello\n');
    run.process.write('stderr', 'oh\n');
    run.process.exit(42);
    assert.equal(await run.waitForExit(), 42);
    assert.equal(run.stdout.toString(), 'hello\n');
    assert.equal(run.stderr, 'oh\n');
    assert.deepEqual(run.sandboxer.attaches, [
      { container: KEY, stdin: true, owner: true, from: 'start' },
    ]);
  });

  it('names the process of an exec', async () => {
    await run.start({ arguments: ['--exec', 'ab12'] });
    run.child.kill('SIGUSR1');
    await run.sandboxer.waitFor(() => run.sandboxer.calls.length > 0);
    run.process.exit(0);
    assert.equal(await run.waitForExit(), 0);
    assert.equal(run.sandboxer.attaches[0]?.execId, 'ab12');
    assert.equal(run.sandboxer.calls[0]?.request['execId'], 'ab12');
  });

  it('writes large output whole before it ends', async () => {
    const bytes = makeBytes(LARGE_BYTES);
    await run.start();
    run.process.write('stdout', bytes);
    run.process.exit(0);
    assert.equal(await run.waitForExit(), 0);
    assert.ok(run.stdout.equals(bytes), `${run.stdout.length} bytes came`);
  });

  it('takes no more than the window of what nobody reads', async () => {
    const bytes = makeBytes(8 * WINDOW_BYTES);
    await run.sandboxer.listen();
    await run.prepare();
    run.go();
    await run.sandboxer.waitFor(() => run.sandboxer.attaches.length > 0);
    run.process.write('stdout', bytes);
    run.process.write('stderr', 'not held up');
    await once(run.child.stderr as NodeJS.ReadableStream, 'data');
    await wait(100);
    // What Node reads ahead, and what the kernel has room for, is less than a window.
    const taken = run.process.output.stdout.oldest;
    assert.ok(taken <= 2 * WINDOW_BYTES, `${taken} bytes were acknowledged`);
    run.collect();
    run.process.exit(3);
    assert.equal(await run.waitForExit(), 3);
    assert.ok(run.stdout.equals(bytes), `${run.stdout.length} bytes came`);
  });

  it('brings stdin and its end', async () => {
    const bytes = makeBytes(LARGE_BYTES);
    await run.start();
    run.process.onChange = () => {
      if (run.process.stdinEnded) run.process.exit(0);
    };
    run.child.stdin?.end(bytes);
    assert.equal(await run.waitForExit(), 0);
    assert.ok(run.process.stdin.equals(bytes), `${run.process.stdin.length} bytes came`);
  });

  it('sends no more stdin than the window', async () => {
    run.process.readsUpTo = 0;
    await run.start();
    run.child.stdin?.write(makeBytes(LARGE_BYTES));
    await until(() => run.process.stdin.length === WINDOW_BYTES);
    await wait(100);
    assert.equal(run.process.stdin.length, WINDOW_BYTES);
    run.process.read();
    await until(() => run.process.stdin.length === LARGE_BYTES);
    const { mostOutstanding } = run.process;
    assert.ok(mostOutstanding <= WINDOW_BYTES, `${mostOutstanding} bytes were under way`);
  });

  it('ends stdin at once when it is /dev/null', async () => {
    await run.start({ stdio: ['ignore', 'pipe', 'pipe'] });
    await until(() => run.process.stdinEnded);
    run.process.exit(0);
    assert.equal(await run.waitForExit(), 0);
  });

  it('reads no more when the process does not', async () => {
    await run.start();
    run.process.closeStdin();
    await once(run.child.stdin as NodeJS.WritableStream, 'error', {
      signal: pesterWith(run),
    });
    run.process.exit(0);
    assert.equal(await run.waitForExit(), 0);
  });

  it('outlives readers that leave', async () => {
    await run.start();
    run.child.stdout?.destroy();
    run.process.write('stdout', makeBytes(4 * WINDOW_BYTES));
    run.process.write('stderr', 'still here');
    await until(() => run.process.output.stdout.oldest === 4 * WINDOW_BYTES);
    run.process.exit(5);
    assert.equal(await run.waitForExit(), 5);
    assert.equal(run.stderr, 'still here');
  });

  it('writes to files and sees their end', async () => {
    const folder = mkdtempSync('/tmp/wardian-stub-');
    const file = openSync(path.join(folder, 'out'), 'w');
    try {
      await run.start({ stdio: ['ignore', file, file] });
      run.process.write('stdout', 'one ');
      await until(() => run.process.output.stdout.oldest === 4);
      run.process.write('stderr', 'two');
      run.process.exit(0);
      assert.equal(await run.waitForExit(), 0);
      assert.equal(readFileSync(path.join(folder, 'out'), 'utf8'), 'one two');
    } finally {
      closeSync(file);
      rmSync(folder, { recursive: true });
    }
  });

  it('loses and doubles nothing when sandboxers die', async () => {
    const bytes = makeBytes(LARGE_BYTES);
    await run.start();
    run.child.stdin?.end(bytes);
    run.process.write('stdout', bytes);
    for (let death = 0; death < 5; death++) {
      const { length } = run.stdout;
      await until(() => run.stdout.length >= Math.min(length + LARGE_BYTES / 8, LARGE_BYTES));
      run.sandboxer.die();
      await run.sandboxer.listen();
    }
    await until(() => run.process.stdinEnded);
    run.process.exit(0);
    assert.equal(await run.waitForExit(), 0);
    assert.ok(run.stdout.equals(bytes), `${run.stdout.length} bytes came`);
    assert.ok(run.process.stdin.equals(bytes), `${run.process.stdin.length} bytes came`);
    assert.notEqual(run.sandboxer.attaches.length, 1);
  });

  it('reconnects while a pipe is full', async () => {
    const bytes = makeBytes(4 * WINDOW_BYTES);
    await run.sandboxer.listen();
    await run.prepare();
    run.go();
    await run.sandboxer.waitFor(() => run.sandboxer.attaches.length > 0);
    run.process.write('stdout', bytes);
    await wait(100);
    run.sandboxer.die();
    await run.sandboxer.listen();
    await run.sandboxer.waitFor(() => run.sandboxer.attaches.length > 1);
    await wait(100);
    run.collect();
    run.process.exit(0);
    assert.equal(await run.waitForExit(), 0);
    assert.ok(run.stdout.equals(bytes), `${run.stdout.length} bytes came`);
  });

  it('says why a machine died', async () => {
    await run.start();
    run.process.exit(137, { sandboxFailure: 'its machine "m1"\ncrashed', signal: 9 });
    assert.equal(await run.waitForExit(), 137);
    assert.equal(run.stderr, 'wardian: its machine "m1" crashed\n');
  });

  it('never makes success of a dead machine', async () => {
    await run.start();
    run.process.exit(0, { sandboxFailure: 'gone' });
    assert.equal(await run.waitForExit(), 255);
  });

  it('ends when nobody knows the process', async () => {
    run.process.refusal = new WardianError('CONTAINER_NOT_FOUND', 'no container has this id');
    await run.start();
    assert.equal(await run.waitForExit(), 255);
    assert.equal(run.stderr, 'wardian: no container has this id\n');
  });

  it('asks again when a sandboxer was on its way out', async () => {
    run.process.refusal = new WardianError('SANDBOXER_UNREACHABLE', 'another version');
    await run.start();
    await run.sandboxer.waitFor(() => run.sandboxer.attaches.length > 2);
    run.process.refusal = undefined;
    run.process.exit(0);
    assert.equal(await run.waitForExit(), 0);
  });

  it('does not wait for a reader for ever when the process was killed', async () => {
    await run.sandboxer.listen();
    await run.prepare();
    run.go();
    await run.sandboxer.waitFor(() => run.sandboxer.attaches.length > 0);
    run.process.write('stdout', makeBytes(STUCK_BYTES));
    await wait(100);
    run.process.exit(137, { signal: 9 });
    assert.equal(await run.waitForExit(), 137);
  });

  it('waits for a reader when the process ended by itself, until it is told to leave', async () => {
    await run.sandboxer.listen();
    await run.prepare();
    run.go();
    await run.sandboxer.waitFor(() => run.sandboxer.attaches.length > 0);
    run.process.write('stdout', makeBytes(STUCK_BYTES));
    run.process.exit(7);
    await wait(6000);
    assert.equal(run.child.exitCode, null);
    run.child.kill('SIGTERM');
    assert.equal(await run.waitForExit(), 7);
  });
});

/** Writes until it cannot; aborts what waits for that after a while. */
function pesterWith(run: StubRun): AbortSignal {
  const timer = setInterval(() => run.child.stdin?.write('x'), 20);
  run.child.once('exit', () => clearInterval(timer));
  run.child.stdin?.once('error', () => clearInterval(timer));
  return AbortSignal.timeout(10_000);
}
