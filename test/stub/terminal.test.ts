import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { PseudoTerminal } from '../support/pseudo-terminal.ts';
import { makeBytes, STUB, StubRun } from './stub-run.ts';

const CONSOLE = fileURLToPath(new URL('./console.py', import.meta.url));
const START = fileURLToPath(new URL('./start.py', import.meta.url));

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await wait(10);
}

/** The engine's end of a terminal. */
class Console {
  readonly path: string;
  readonly lines: string[] = [];
  readonly #child: ChildProcess;
  #rest = '';

  constructor(socketPath: string) {
    this.path = socketPath;
    this.#child = spawn('python3', [CONSOLE, socketPath], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.stdout?.on('data', (chunk) => {
      const lines = (this.#rest + String(chunk)).split('\n');
      this.#rest = lines.pop() ?? '';
      this.lines.push(...lines.map((line) => JSON.parse(line) as string));
    });
  }

  /** What the terminal has shown. */
  get screen(): string {
    return this.lines.slice(2).join('');
  }

  say(command: string): void {
    this.#child.stdin?.write(`${command}\n`);
  }

  close(): void {
    this.#child.kill('SIGKILL');
  }
}

describe('terminal of the stub', { timeout: 60_000 }, () => {
  let run: StubRun;
  let engine: Console;
  beforeEach(async () => {
    run = new StubRun();
    engine = new Console(path.join(run.folder, 'console.sock'));
    await until(() => engine.lines.length > 0);
  });
  afterEach(() => {
    engine.close();
    run.close();
  });
  const start = (...more: string[]): Promise<void> =>
    run.start({ arguments: ['--terminal', '--console-socket', engine.path, ...more] });

  it('hands the terminal over, and carries bytes as they are', async () => {
    await start('--rows', '30', '--columns', '100');
    await until(() => engine.lines.length > 1);
    assert.equal(engine.lines[1], '/dev/ptmx 1 30x100');
    // Nothing is echoed, translated or taken for a signal: all of that is the guest's terminal's.
    engine.say(`type ${JSON.stringify('a\r\n\u0003\u0004\u001a')}`);
    await until(() => run.process.stdin.length === 6);
    assert.equal(run.process.stdin.toString('latin1'), 'a\r\n\u0003\u0004\u001a');
    run.process.write('stdout', 'b\r\nc\n');
    await until(() => engine.screen.length >= 5);
    run.process.exit(4);
    assert.equal(await run.waitForExit(), 4);
    await until(() => engine.lines.at(-1) === 'hung up');
    assert.equal(engine.screen, 'b\r\nc\nhung up');
    assert.deepEqual(run.process.signals, []);
  });

  it('tells the size, and when it changes', async () => {
    await start('--rows', '30', '--columns', '100');
    await run.sandboxer.waitFor(() => run.sandboxer.calls.length > 0);
    engine.say('size 40 120');
    await run.sandboxer.waitFor(() => run.sandboxer.calls.length > 1);
    assert.deepEqual(
      run.sandboxer.calls.map(({ method, request }) => [
        method,
        request['rows'],
        request['columns'],
      ]),
      [
        ['resize', 30, 100],
        ['resize', 40, 120],
      ],
    );
  });

  it('tells the next sandboxer the size', async () => {
    await start('--rows', '30', '--columns', '100');
    await run.sandboxer.waitFor(() => run.sandboxer.calls.length > 0);
    run.sandboxer.die();
    await run.sandboxer.listen();
    await run.sandboxer.waitFor(() => run.sandboxer.calls.length > 1);
    assert.equal(run.sandboxer.calls[1]?.request['rows'], 30);
  });

  it('hangs up on the process when the engine does on it', async () => {
    await start();
    await until(() => engine.lines.length > 1);
    engine.say('close');
    await until(() => run.process.signals.includes(1) && run.process.stdinEnded);
    run.process.exit(129, { signal: 1 });
    assert.equal(await run.waitForExit(), 129);
  });

  it('shows all that was written before the end', async () => {
    const bytes = makeBytes(300_000).map((byte) => byte & 0x7f);
    await start();
    run.process.write('stdout', Buffer.from(bytes));
    run.process.exit(0);
    assert.equal(await run.waitForExit(), 0);
    await until(() => engine.lines.at(-1) === 'hung up');
    const shown = Buffer.from(engine.lines.slice(2, -1).join(''), 'latin1');
    assert.ok(shown.equals(bytes), `${shown.length} bytes were shown`);
  });

  it('shows why a machine died', async () => {
    await start();
    run.process.exit(137, { sandboxFailure: 'crashed' });
    assert.equal(await run.waitForExit(), 137);
    await until(() => engine.lines.at(-1) === 'hung up');
    assert.equal(engine.screen, 'wardian: crashed\r\nhung up');
  });

  it('says when nobody takes the terminal', async () => {
    const socket = path.join(run.folder, 'nobody.sock');
    assert.equal(
      await run.prepare({ arguments: ['--terminal', '--console-socket', socket] }),
      `error: cannot connect to the console socket ${socket}: No such file or directory`,
    );
  });

  it('makes the terminal that it was started on raw, and puts it back', async () => {
    await run.sandboxer.listen();
    const stub = `${STUB} --socket ${run.sandboxer.socketPath} --container c0 --terminal`;
    const terminal = new PseudoTerminal(
      `stty rows 33 cols 77; python3 ${START} ${stub}; stty -a | grep -o ' .\\?echo '`,
      { PATH: process.env['PATH'] ?? '' },
    );
    try {
      await run.sandboxer.waitFor(() => run.sandboxer.calls.length > 0);
      assert.deepEqual(run.sandboxer.calls[0]?.request['rows'], 33);
      terminal.type('x\u0003');
      await until(() => run.process.stdin.length === 2);
      run.process.write('stdout', 'shown\r\n');
      run.process.exit(0);
      await terminal.closed;
      assert.match(terminal.output, /shown\r\n echo/);
    } finally {
      terminal.kill();
    }
  });
});
