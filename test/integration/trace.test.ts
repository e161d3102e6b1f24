import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { TestHost } from '../support/test-host.ts';

let host: TestHost;
before(() => {
  host = new TestHost();
});
after(() => host.close());

interface Phase {
  readonly phase: string;
  readonly place: string;
  readonly startMs: number;
  readonly durationMs: number;
}

/** Runs with a trace and returns it, after a look at whether its phases are one after the other. */
async function trace(arguments_: readonly string[], exitCode = 0): Promise<Phase[]> {
  const file = path.join(host.directory, 'trace.json');
  const result = await host.wardian(['run', '--trace-file', file, ...arguments_]);
  assert.equal(result.exitCode, exitCode, result.stderr);
  const { phases } = JSON.parse(readFileSync(file, 'utf8')) as { phases: Phase[] };
  let endMs = 0;
  for (const { phase, startMs, durationMs } of phases) {
    assert.ok(Math.abs(startMs - endMs) < 0.01, `${phase} begins at ${startMs}, not ${endMs}`);
    assert.ok(durationMs >= 0, `${phase} took ${durationMs} ms`);
    endMs = startMs + durationMs;
  }
  return phases;
}

/** Fails unless these phases are there, in this order; others may stand between them. */
function assertOrder(phases: readonly Phase[], expected: readonly string[]): void {
  const names = phases.map(({ phase }) => phase);
  assert.deepEqual(
    names.filter((name) => expected.includes(name)),
    expected,
    names.join(', '),
  );
}

const BEGINNING = ['Node started', 'command line read'];
const CONTAINER = ['agent answers', 'container created', 'process started'];
const END = [
  'first output',
  'process ended',
  'machine gone, with its folder',
  'container removed',
  'done',
];

test('a container from a template has every phase from Node to the last file', async () => {
  const phases = await trace(['--rm', 'busybox', 'sh', '-c', 'sleep 0.1; echo hello']);
  assertOrder(phases, [...BEGINNING, 'request received', 'image found', ...CONTAINER, ...END]);
  assert.ok(phases.some(({ phase }) => phase === 'state loaded'));
  const slept = phases.find(({ phase }) => phase === 'first output');
  assert.ok((slept?.startMs ?? 0) > 0 && (slept?.durationMs ?? 0) > 50, JSON.stringify(slept));
});

test('a cold boot loads no state, and its time is the guest’s', async () => {
  const phases = await trace(['--rm', '--no-template', 'busybox', 'true']);
  assertOrder(phases, [...BEGINNING, 'VMM started', ...CONTAINER, 'process ended', 'done']);
  assert.ok(!phases.some(({ phase }) => phase === 'state loaded' || phase === 'template at hand'));
  const longest = [...phases].sort((one, other) => other.durationMs - one.durationMs)[0];
  assert.deepEqual([longest?.phase, longest?.place], ['agent answers', 'guest']);
});

test('a command that is not there shows how far it came', async () => {
  const phases = await trace(['--rm', 'busybox', 'no-such-command'], 127);
  assertOrder(phases, ['container created', 'failed, nothing left', 'failed']);
  assert.ok(!phases.some(({ phase }) => phase === 'process started'));
});

test('one that goes on in the background is traced up to its start', async () => {
  const phases = await trace(['-d', '--rm', 'busybox', 'sleep', '60']);
  assertOrder(phases, [...BEGINNING, ...CONTAINER, 'done']);
});

test('the table comes behind the output, on standard error', async () => {
  const { stdout, stderr } = await host.wardian(['run', '--trace', '--rm', 'busybox', 'echo', 'x']);
  assert.equal(stdout, 'x\n');
  assert.match(stderr, /^start ms +took ms +where +phase\n(.*\n)+ +[\d.]+ +in all: guest/);
});
