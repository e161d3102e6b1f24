import assert from 'node:assert/strict';
import { test } from 'node:test';
import { captureCommand, FilterError, filterThroughCommand } from './spawn.ts';

async function* chunks(count: number): AsyncGenerator<Buffer> {
  for (let index = 0; index < count; index++) yield Buffer.alloc(65536, index);
}

async function readAll(input: AsyncIterable<Buffer>): Promise<number> {
  let length = 0;
  for await (const chunk of input) length += chunk.length;
  return length;
}

function filter(command: string, argv: string[], input: AsyncIterable<Uint8Array> = chunks(64)) {
  return filterThroughCommand({ command, argv, input, missingHint: 'install it' });
}

test('streams everything through a command', async () => {
  assert.equal(await readAll(filter('cat', [])), 64 * 65536);
});

test('a command that fails tells why', async () => {
  const failing = filter('sh', ['-c', 'cat >/dev/null; echo broken >&2; exit 3']);
  await assert.rejects(
    readAll(failing),
    (error: unknown) => error instanceof FilterError && error.complaint === 'broken',
  );
});

test('a command that is not installed gives the hint', async () => {
  await assert.rejects(readAll(filter('wardian-no-such-command', [])), {
    code: 'HOST_SETUP_MISSING',
    hint: 'install it',
  });
});

test('the failure of the source is what is reported', async () => {
  async function* broken(): AsyncGenerator<Buffer> {
    yield Buffer.from('begin');
    throw new Error('source failed');
  }
  await assert.rejects(readAll(filter('cat', [], broken())), /source failed/);
});

test('stops the command when the reader goes away', async () => {
  const output = filter('yes', []);
  await output.next();
  await output.return(undefined);
});

test('captures output and reports failure', async () => {
  const limits = { timeoutMs: 5000, maxOutputBytes: 5 };
  assert.equal((await captureCommand('echo', ['hello world'], limits)).stdout, 'hello');
  await assert.rejects(captureCommand('false', [], limits), FilterError);
});
