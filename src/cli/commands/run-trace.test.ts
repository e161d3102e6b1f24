import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, test } from 'node:test';
import type { FakeEnvironment } from '../../sandboxer/testing/fake-environment.ts';
import { runCli, startFake } from '../testing/run-cli.ts';

let fake: FakeEnvironment | undefined;

afterEach(() => {
  fake?.close();
  fake = undefined;
});

/** What the fake sandboxer was asked to run. */
function getRunRequest(): Record<string, unknown> {
  const lines = (fake?.read('calls') ?? '').split('\n').filter((line) => line.includes('"run"'));
  return (JSON.parse(lines[0] ?? '') as { request: Record<string, unknown> }).request;
}

test('without --trace nobody is asked for a trace and nothing is said', async () => {
  fake = await startFake();
  const { stderr } = await runCli(fake, ['run', 'busybox', 'exit', '0']);
  assert.doesNotMatch(stderr, /start ms|in all/);
  assert.ok(!('trace' in getRunRequest()));
});

test('--trace says after the end how long each phase took', async () => {
  fake = await startFake();
  const { exitCode, stderr } = await runCli(fake, ['run', '--trace', 'busybox', 'produce', '10']);
  assert.equal(exitCode, 0);
  assert.equal(getRunRequest()['trace'], true);
  const words = ['Node started', 'command line read', 'sandboxer reached', 'first output', 'done'];
  const places = words.map((word) => stderr.indexOf(word));
  assert.ok(
    places.every((place, index) => place > (places[index - 1] ?? 0)),
    stderr,
  );
});

test('a failure comes with the phases up to it', async () => {
  fake = await startFake();
  const { exitCode, stderr } = await runCli(fake, ['run', '--trace', 'missing']);
  assert.equal(exitCode, 125);
  assert.match(stderr, /sandboxer reached.*\n.*command {4}failed/);
  assert.match(stderr, /in all: .*\nwardian: no image is called "missing"\n/);
});

test('--trace-file writes what adds up, and nothing to standard error', async () => {
  fake = await startFake();
  const file = path.join(fake.folder, 'trace.json');
  const { stderr } = await runCli(fake, ['run', '--trace-file', file, 'busybox', 'exit', '0']);
  assert.doesNotMatch(stderr, /in all/);
  const { version, phases } = JSON.parse(readFileSync(file, 'utf8')) as {
    version: number;
    phases: { phase: string; startMs: number; durationMs: number }[];
  };
  assert.equal(version, 1);
  let endMs = 0;
  for (const { phase, startMs, durationMs } of phases) {
    assert.ok(Math.abs(startMs - endMs) < 0.01, `${phase} begins at ${startMs}, not ${endMs}`);
    endMs = startMs + durationMs;
  }
  assert.equal(phases.at(-1)?.phase, 'done');
});

test('a file that cannot be written is told, after the container has ended', async () => {
  fake = await startFake();
  const file = path.join(fake.folder, 'no/such/folder');
  const { exitCode, stderr } = await runCli(fake, ['run', '--trace-file', file, 'busybox', 'exit']);
  assert.equal(exitCode, 125);
  assert.match(stderr, /the trace cannot be written to .*\n {2}cause: ENOENT.*\n {2}hint: /);
});
