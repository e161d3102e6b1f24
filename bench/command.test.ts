import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { createCommandRunner } from './command.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'wardian-bench-test-'));
after(() => rmSync(directory, { recursive: true, force: true }));

const PLACE = { directory, environment: { PATH: process.env['PATH'] } };

test('a command is timed to its end, not to the end of what it leaves behind', async () => {
  const runner = createCommandRunner({ ...PLACE, timeoutMs: 10_000 });
  const durationMs = await runner.time(['sh', '-c', 'sleep 3 & sleep 0.05']);
  assert.ok(durationMs >= 50 && durationMs < 2_000, `${durationMs} ms`);
});

test('a failure names the command and what it said', async () => {
  const runner = createCommandRunner({ ...PLACE, timeoutMs: 10_000 });
  await assert.rejects(runner.time(['/bin/sh', '-c', 'echo no such image >&2; exit 3']), {
    message: 'sh -c echo no such image >&2; exit 3: exit 3: no such image',
  });
  await assert.rejects(runner.time(['/nonexistent/engine']), /engine: spawn .* ENOENT/);
});

test('a command that hangs is ended', async () => {
  const runner = createCommandRunner({ ...PLACE, timeoutMs: 50 });
  await assert.rejects(runner.time(['sleep', '30']), /ended by SIGKILL after 50 ms/);
});

test('an abort ends the command', async () => {
  const controller = new AbortController();
  const runner = createCommandRunner({ ...PLACE, timeoutMs: 10_000, signal: controller.signal });
  setTimeout(() => controller.abort(new Error('interrupted')), 20);
  await assert.rejects(runner.time(['sleep', '30']), /interrupted/);
});
