import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CommandFailed, run, succeeds } from './run.ts';

test('the output of a program is returned, line by line as it comes too', async () => {
  const lines: string[] = [];
  const output = await run(['printf', 'a\\nb\\n'], { onLine: (line) => lines.push(line) });
  assert.equal(output, 'a\nb');
  assert.deepEqual(lines, ['a', 'b']);
});

test('a failure tells the command, how it ended and its last words', async () => {
  await assert.rejects(
    run(['sh', '-c', 'echo first >&2; echo last >&2; exit 3'], { hint: 'do better' }),
    (error: CommandFailed) => {
      assert.match(error.message, /failed with exit code 3\nfirst\nlast$/);
      assert.equal(error.exitCode, 3);
      assert.equal(error.hint, 'do better');
      return true;
    },
  );
});

test('a program that is not there is a failure too', async () => {
  await assert.rejects(run(['/nonexistent/program']), /ENOENT/);
  assert.equal(await succeeds(['/nonexistent/program']), false);
});

test('an exit code that was announced is no failure', async () => {
  await run(['sh', '-c', 'exit 1'], { goodExitCodes: [0, 1] });
  await assert.rejects(run(['sh', '-c', 'exit 2'], { goodExitCodes: [0, 1] }), CommandFailed);
});

test('a program that hangs is ended', async () => {
  await assert.rejects(run(['sleep', '60'], { timeoutMs: 50 }), /was ended by SIGKILL/);
});

test('descriptor 3 carries status lines', async () => {
  const status: string[] = [];
  await run(['sh', '-c', 'echo dlstatus >&3'], { onStatus: (line) => status.push(line) });
  assert.deepEqual(status, ['dlstatus']);
});
