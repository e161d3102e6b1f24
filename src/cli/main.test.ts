import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterEach, test } from 'node:test';
import type { FakeEnvironment } from '../sandboxer/testing/fake-environment.ts';
import { makeOutput } from '../sandboxer/testing/fake-sandboxer.ts';
import { collect, runCli, runOnTerminal, spawnCli, startFake } from './testing/run-cli.ts';

let fake: FakeEnvironment | undefined;

afterEach(() => {
  fake?.close();
  fake = undefined;
});

const MIB = 1024 * 1024;

/** Room for Node, the loader of the tests and two windows; a client that kept what passes would need far more. */
const MEMORY_BOUND_KIB = 220 * 1024;

const hasPython = spawnSync('python3', ['--version']).status === 0;
const terminalTest = hasPython ? {} : { skip: 'python3 is not installed: no terminal to test on' };

/** What the fake sandboxer was asked for with this method. */
function getRequests(method: string): Record<string, unknown>[] {
  return (fake?.read('calls') ?? '')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { method: string; request: Record<string, unknown> })
    .filter((call) => call.method === method)
    .map((call) => call.request);
}

test('run passes everything on and exits with the code of the command', async () => {
  fake = await startFake();
  const flags = [
    '--rm',
    '-m64m',
    '--cpus=1.5',
    '-eA=1',
    '-w',
    '/tmp',
    '--name',
    'web',
    '--guest=mini',
  ];
  const { exitCode, stderr } = await runCli(fake, ['run', ...flags, 'busybox', 'exit', '42']);
  assert.equal(exitCode, 42, stderr);
  const [request] = getRequests('run');
  assert.deepEqual(
    { ...request, id: '' },
    {
      id: '',
      name: 'web',
      image: 'busybox',
      command: ['exit', '42'],
      env: ['A=1'],
      workingDirectory: '/tmp',
      terminal: false,
      interactive: false,
      autoRemove: true,
      detached: false,
      readOnly: false,
      tmpfs: [],
      network: 'none',
      labels: {},
      limits: { cpus: 1.5, memoryBytes: 64 * MIB },
      template: true,
      guest: 'mini',
    },
  );
  assert.match(String(request?.['id']), /^[0-9a-f]{64}$/);
});

test('detach keys that do not exist are refused before anything is started', async () => {
  fake = await startFake();
  const flags = ['--detach-keys', 'ctrl-p,nonsense'];
  const { exitCode, stderr } = await runCli(fake, ['run', ...flags, 'busybox', 'exit', '0']);
  assert.equal(exitCode, 125);
  assert.match(stderr, /"nonsense" is not a key/);
  assert.deepEqual(getRequests('run'), []);
});

test('run -d prints the id and leaves', async () => {
  fake = await startFake();
  const { exitCode, stdout } = await runCli(fake, ['run', '-d', 'busybox', 'signals']);
  assert.equal(exitCode, 0);
  assert.equal(stdout, `${getRequests('run')[0]?.['id']}\n`);
});

test('errors of the sandboxer are told once, with their hint, and decide the exit code', async () => {
  fake = await startFake();
  assert.deepEqual(await runCli(fake, ['run', 'missing']), {
    exitCode: 125,
    signal: null,
    stdout: '',
    stderr: 'getting ready\nwardian: no image is called "missing"\n  hint: load it first\n',
  });
  const died = await runCli(fake, ['run', 'busybox', 'died']);
  assert.equal(died.exitCode, 125);
  assert.match(died.stderr, /wardian: its machine crashed/);
});

test('stdin goes in, comes out, and its end ends the command', async () => {
  fake = await startFake();
  const { exitCode, stdout } = await runCli(fake, ['run', '-i', 'busybox', 'cat'], 'through\n');
  assert.equal(exitCode, 0);
  assert.equal(stdout, 'through\n');
});

test('256 MiB pass through stdout whole, in bounded memory', async () => {
  fake = await startFake();
  const total = 256 * MIB;
  const child = spawnCli(fake, ['run', 'busybox', 'produce', String(total)]);
  let offset = 0;
  let peakKib = 0;
  for await (const chunk of child.stdout ?? []) {
    const bytes = chunk as Buffer;
    if (offset < 4 * MIB) assert.deepEqual(bytes, makeOutput(offset, bytes.length));
    offset += bytes.length;
    if (offset % (8 * MIB) < bytes.length) peakKib = Math.max(peakKib, readPeak(child.pid ?? 0));
  }
  assert.equal(offset, total);
  assert.ok(peakKib > 0 && peakKib < MEMORY_BOUND_KIB, `${peakKib} KiB`);
});

test('a reader that stops holds the producer back instead of filling memory', async () => {
  fake = await startFake();
  const child = spawnCli(fake, ['run', 'busybox', 'produce', String(256 * MIB)]);
  assert.ok(child.stdout);
  await once(child.stdout, 'readable');
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.ok(readPeak(child.pid ?? 0) < MEMORY_BOUND_KIB);
  child.kill('SIGKILL');
  await once(child, 'close');
});

function readPeak(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0);
  } catch {
    return 0; // It has just ended.
  }
}

test('a pipe without a reader ends it quietly', async () => {
  fake = await startFake();
  const child = spawnCli(fake, ['run', 'busybox', 'produce', String(64 * MIB)]);
  child.stdout?.once('data', () => child.stdout?.destroy());
  const { exitCode, stderr } = await collect(child);
  assert.equal(exitCode, 141);
  assert.equal(stderr, 'getting ready\n');
});

test('signals go to the process, and its end by one is 128 and its number', async () => {
  fake = await startFake();
  const child = spawnCli(fake, ['run', 'busybox', 'signals']);
  const result = collect(child);
  await once(child.stdout ?? child, 'data');
  for (const signal of ['SIGUSR1', 'SIGINT', 'SIGTERM'] as const) {
    child.kill(signal);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const { exitCode, stdout } = await result;
  assert.equal(exitCode, 143);
  assert.equal(stdout, 'ready\n10\n2\n15\n');
});

test('Ctrl-C during a long start ends the command line', async () => {
  fake = await startFake();
  const child = spawnCli(fake, ['run', 'slow', 'signals']);
  const result = collect(child);
  await once(child.stderr ?? child, 'data'); // "getting ready"
  child.kill('SIGINT');
  assert.equal((await result).exitCode, 130);
});

test('with --sig-proxy=false a signal ends the command line instead', async () => {
  fake = await startFake();
  const child = spawnCli(fake, ['run', '--sig-proxy=false', 'busybox', 'signals']);
  const result = collect(child);
  await once(child.stdout ?? child, 'data');
  child.kill('SIGINT');
  assert.equal((await result).exitCode, 130);
  assert.deepEqual(getRequests('kill'), []);
});

test('ps prints a table, ids, JSON or a template, and filters', async () => {
  const container = {
    id: 'ab'.repeat(32),
    name: 'web',
    image: 'localhost/busybox:latest',
    command: ['httpd', '-f', '-p', '8080', '-v'],
    status: 'exited',
    createdAtMs: Date.now() - 120_000,
    finishedAtMs: Date.now() - 65_000,
    exitCode: 3,
    labels: { tier: 'front' },
  };
  fake = await startFake({ FAKE_CONTAINERS: JSON.stringify([container]) });
  const table = await runCli(fake, ['ps', '-a']);
  assert.match(table.stdout, /^CONTAINER ID {2}IMAGE .* NAMES\nabababababab {2}localhost/);
  assert.match(table.stdout, /httpd -f -p 8080 \.\.\..*2 minutes ago .*Exited \(3\) 1 minute ago/);
  const quiet = await runCli(fake, ['ps', '-aq', '--filter', 'label=tier=front']);
  assert.equal(quiet.stdout, 'abababababab\n');
  const none = await runCli(fake, ['ps', '-aq', '--filter', 'name=db']);
  assert.equal(none.stdout, '');
  const template = await runCli(fake, ['ps', '-a', '--format', '{{.Names}} {{.Status}}']);
  assert.equal(template.stdout, 'web Exited (3) 1 minute ago\n');
  const json = JSON.parse((await runCli(fake, ['ps', '-a', '--json'])).stdout) as unknown[];
  assert.deepEqual((json[0] as { Names: string[] }).Names, ['web']);
});

test('rm has the exit codes of podman', async () => {
  fake = await startFake();
  const missing = await runCli(fake, ['rm', 'nothing']);
  assert.equal(missing.exitCode, 1);
  assert.match(missing.stderr, /^wardian: no container/);
  assert.equal((await runCli(fake, ['rm', '-f', 'nothing'])).exitCode, 0);
  assert.equal((await runCli(fake, ['rm'])).exitCode, 125);
});

test('completion scripts are what their shells can read', async () => {
  fake = await startFake();
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { stdout, exitCode } = await runCli(fake, ['completion', shell]);
    assert.equal(exitCode, 0);
    assert.match(stdout, /--detach-keys|-l detach-keys/);
    if (spawnSync(shell, ['--version']).status !== 0) continue; // That shell is not installed.
    const syntax = spawnSync(shell, ['-n'], { input: stdout, encoding: 'utf8' });
    assert.equal(syntax.status, 0, syntax.stderr);
  }
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the shell's
  const probe = 'COMP_WORDS=(wardian run --ent); COMP_CWORD=2; _wardian; echo "${COMPREPLY[@]}"';
  const script = (await runCli(fake, ['completion', 'bash'])).stdout;
  const { stdout } = spawnSync('bash', ['-c', `${script}\n${probe}`], { encoding: 'utf8' });
  assert.equal(stdout, '--entrypoint\n');
});

test('on a terminal keys go through raw, and the terminal comes back', terminalTest, async () => {
  fake = await startFake();
  const result = await runOnTerminal(
    fake,
    ['run', '-it', 'busybox', 'cat'],
    [{ type: 'a\u0003b\n' }, { expect: 'a\u0003b\n' }, { type: '\u0010' }, { type: '\u0011' }],
  );
  assert.ok(result.output.includes('a\u0003b\n'), 'no carriage return is added');
  assert.deepEqual(
    { ...result, output: '' },
    { output: '', exitCode: 0, wasRaw: true, isRaw: false },
  );
});

test('the terminal comes back when a signal ends the command line', terminalTest, async () => {
  fake = await startFake();
  for (const signal of [15, 1]) {
    const result = await runOnTerminal(
      fake,
      ['run', '-it', 'busybox', 'cat'],
      [{ type: 'x' }, { expect: 'x' }, { signal }],
    );
    assert.deepEqual(
      { ...result, output: '' },
      { output: '', exitCode: 128 + signal, wasRaw: true, isRaw: false },
    );
  }
});

test(
  'the size of the terminal is told at the start and when it changes',
  terminalTest,
  async () => {
    fake = await startFake();
    const result = await runOnTerminal(
      fake,
      ['run', '-t', 'busybox', 'size', '2'],
      [{ expect: '24x80' }, { resize: [50, 132] }, { expect: '50x132' }],
    );
    assert.equal(result.exitCode, 0);
    assert.match(result.output, /24x80[\s\S]*50x132/);
    assert.deepEqual(getRequests('run')[0]?.['terminalSize'], { rows: 24, columns: 80 });
  },
);
