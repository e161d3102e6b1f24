import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { SandboxState } from '../../src/sandbox/sandbox-state.ts';
import type { SandboxerMethods } from '../../src/sandboxer/api.ts';
import {
  connectSandboxer,
  EngineContainer,
  EngineExec,
  type EngineOptions,
  makeRootfs,
} from '../support/engine-container.ts';
import { TestHost } from '../support/test-host.ts';

let host: TestHost;
let rootfs: string;
let count = 0;
const created: EngineContainer[] = [];

before(() => {
  host = new TestHost();
  mkdirSync(host.runtimeDirectory, { mode: 0o700 }); // the stub looks for the socket in it
  rootfs = makeRootfs(host, 'rootfs');
});
after(async () => {
  for (const container of created) container.kill();
  for (const container of created) await remove(container); // of a test that failed; the others are gone
  await host.close();
});

async function call<M extends keyof SandboxerMethods>(
  method: M,
  request: SandboxerMethods[M]['request'],
): Promise<SandboxerMethods[M]['response']> {
  const client = await connectSandboxer(host);
  try {
    return await client.call(method, request);
  } finally {
    client.close();
  }
}

async function create(
  script: string,
  options: Partial<EngineOptions> = {},
): Promise<EngineContainer> {
  const command = ['sh', '-c', script];
  count += 1;
  const container = await EngineContainer.create(host, `c${count}`, {
    command,
    rootfs,
    ...options,
  });
  created.push(container);
  return container;
}

async function start({ id }: EngineContainer): Promise<void> {
  await call('startContainer', { container: id });
}

async function remove({ id }: EngineContainer): Promise<void> {
  await call('deleteContainer', { container: id });
}

function killSandboxer(): void {
  const pid = host.getSandboxerPid();
  assert.ok(pid !== undefined);
  process.kill(pid, 'SIGKILL');
}

function listSandboxes(): string[] {
  return readdirSync(path.join(host.runtimeDirectory, 'sandboxes'));
}

test('a container is created, started, heard, and deleted, with its exit code at its stub', async () => {
  const container = await create('echo out; echo err >&2; cat; exit 7');
  container.stdin?.end('in\n');
  await start(container);
  assert.equal(await container.exited, 7);
  assert.deepEqual([container.stdout, container.stderr], ['out\nin\n', 'err\n']);
  await remove(container);
  await remove(container); // nothing to do any more
  assert.deepEqual(listSandboxes(), []);
});

test('what cannot be done says so: a command that is not there, create or start twice, kill after the end', async () => {
  const container = await create('exit 0', { command: ['no-such-program'] });
  await assert.rejects(call('createContainer', container.describe()), { code: 'NAME_IN_USE' });
  await assert.rejects(start(container), { code: 'COMMAND_NOT_FOUND' });
  await container.exited;
  await assert.rejects(start(container), { code: 'CONTAINER_NOT_RUNNING' });
  await assert.rejects(call('kill', { container: container.id, signal: 15 }), {
    code: 'CONTAINER_NOT_RUNNING',
  });
  await remove(container);
  const running = await create('sleep 600');
  await start(running);
  await assert.rejects(start(running), { code: 'CONTAINER_RUNNING' });
  await remove(running);
  assert.equal(await running.exited, 137);
  const missing = 'f'.repeat(64);
  await assert.rejects(call('startContainer', { container: missing }), {
    code: 'CONTAINER_NOT_FOUND',
  });
  await call('deleteContainer', { container: missing });
  assert.deepEqual(listSandboxes(), []);
});

test('a created container can be deleted, and its process never runs', async () => {
  const container = await create('echo never');
  await remove(container);
  assert.equal(await container.exited, 137);
  assert.equal(container.stdout, '');
  assert.deepEqual(listSandboxes(), []);
});

test('a sandboxer that is killed between create and start, and again later, is not missed', async () => {
  const container = await create(
    'i=0; while [ $i -lt 40000 ]; do i=$((i+1)); echo $i; done; exit 3',
  );
  killSandboxer();
  await start(container); // the next sandboxer has adopted it
  for (const text of ['1\n', '1\n2\n']) {
    await container.waitForOutput(text);
    killSandboxer();
  }
  assert.equal(await container.exited, 3);
  const lines = Array.from({ length: 40_000 }, (_, index) => `${index + 1}\n`).join('');
  assert.ok(container.stdout === lines, `${container.stdout.length} of ${lines.length} characters`);
  await remove(container);
  assert.deepEqual(listSandboxes(), []);
});

test('a container that ends while no sandboxer runs leaves its output and its code to its stub', async () => {
  const container = await create('sleep 0.5; echo end; exit 33');
  await start(container);
  killSandboxer();
  assert.equal(await container.exited, 33); // the stub has started a sandboxer
  assert.equal(container.stdout, 'end\n');
  await remove(container);
});

test('when the stub has gone, so have its process and the machine', async () => {
  const container = await create('echo up; sleep 600');
  await start(container);
  await container.waitForOutput('up\n');
  container.kill();
  await container.exited;
  await waitUntil(() => host.getProcesses().every(({ commandLine }) => !/qemu/.test(commandLine)));
  await remove(container);
  assert.deepEqual(listSandboxes(), []);
});

test('a stub that dies before it has attached takes its container with it', async () => {
  const options = { command: ['sleep', '600'], rootfs };
  const container = await EngineContainer.prepare(host, 'unattached', options);
  const request = container.describe();
  await call('createContainer', request);
  container.kill();
  await waitUntil(() => host.getProcesses().every(({ commandLine }) => !/qemu/.test(commandLine)));
  await remove(container);
});

test('a create that nobody waits for any more leaves nothing, wherever it had come to', async () => {
  const first = await create('sleep 600');
  for (const delayMs of [0, 10, 30, 50, 70, 100]) {
    const name = `cancelled-${delayMs}`;
    const joins = delayMs % 20 === 10;
    const options = { command: ['true'], rootfs, ...(joins && { sandbox: first }) };
    const container = await EngineContainer.prepare(host, name, options);
    const client = await connectSandboxer(host);
    const made = client.call('createContainer', container.describe()).then(
      () => true,
      () => false,
    );
    await pauseMs(delayMs);
    client.close();
    if (!(await made)) await waitUntil(() => listSandboxes().length === 1);
    container.kill();
    await remove(container);
  }
  assert.equal(listSandboxes().length, 1);
  await remove(first);
});

test('many containers at once', async () => {
  const containers = await Promise.all(
    Array.from({ length: 8 }, (_, index) => create(`echo ${index}; exit ${index}`)),
  );
  await Promise.all(containers.map(start));
  const codes = await Promise.all(containers.map(({ exited }) => exited));
  assert.deepEqual(codes, [0, 1, 2, 3, 4, 5, 6, 7]);
  assert.deepEqual(
    containers.map(({ stdout }) => stdout),
    codes.map((code) => `${code}\n`),
  );
  await Promise.all(containers.map(remove));
  assert.deepEqual(listSandboxes(), []);
});

test('further processes have stubs of their own, and their own ends', async () => {
  const container = await create('sleep 600');
  await assert.rejects(EngineExec.start(host, container.id, ['true']), {
    code: 'CONTAINER_NOT_RUNNING',
  });
  await start(container);
  await assert.rejects(EngineExec.start(host, container.id, ['no-such-program']), {
    code: 'COMMAND_NOT_FOUND',
  });
  const exec = await EngineExec.start(host, container.id, ['sh', '-c', 'echo in; exit 5']);
  assert.equal(await exec.exited, 5);
  assert.equal(exec.stdout, 'in\n');
  const lasting = await EngineExec.start(host, container.id, ['sh', '-c', 'sleep 1; exit 6']);
  killSandboxer();
  assert.equal(await lasting.exited, 6);
  const orphan = await EngineExec.start(host, container.id, ['sleep', '601']);
  orphan.kill();
  await orphan.exited;
  await waitUntil(async () => {
    const look = await EngineExec.start(host, container.id, ['ps']);
    await look.exited;
    return !look.stdout.includes('sleep 601');
  });
  await remove(container);
  assert.deepEqual(listSandboxes(), []);
});

test('a machine that is killed, or hangs, is no machine that stays', async () => {
  const shot = await create('echo up; sleep 600');
  await start(shot);
  await shot.waitForOutput('up\n');
  process.kill(readMachinePid(shot), 'SIGKILL');
  assert.notEqual(await shot.exited, 0);
  assert.match(shot.stderr, /SIGKILL|virtual machine/);
  await remove(shot);
  const hung = await create('sleep 600');
  await start(hung);
  process.kill(readMachinePid(hung), 'SIGSTOP');
  const startMs = performance.now();
  await remove(hung);
  assert.ok(performance.now() - startMs < 10_000);
  assert.equal(await hung.exited, 137);
  assert.deepEqual(listSandboxes(), []);
});

test('a paused container stands still, takes no exec, and can be killed', async () => {
  const container = await create('i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done');
  await start(container);
  await container.waitForOutput('1\n');
  await call('pauseContainer', { container: container.id });
  await pauseMs(200);
  const seen = container.stdout.length;
  await pauseMs(300);
  assert.equal(container.stdout.length, seen);
  await assert.rejects(EngineExec.start(host, container.id, ['true']), /is paused/);
  killSandboxer();
  await assert.rejects(EngineExec.start(host, container.id, ['true']), /is paused/);
  await call('resumeContainer', { container: container.id });
  await waitUntil(() => container.stdout.length > seen);
  await call('pauseContainer', { container: container.id });
  await call('kill', { container: container.id, signal: 9 });
  assert.equal(await container.exited, 137);
  await remove(container);
});

test('a machine whose container is paused leaves the processors alone', async () => {
  const container = await create('echo up; while :; do :; done');
  await start(container);
  await container.waitForOutput('up\n');
  const busy = await countTicks(container, 1000);
  await call('pauseContainer', { container: container.id });
  await pauseMs(200);
  const paused = await countTicks(container, 1000);
  assert.ok(
    paused <= 5 && busy > 2 * paused,
    `${busy} ticks of work, ${paused} while it was paused`,
  );
  await remove(container);
});

test('limits can be changed as far as the machine goes', async () => {
  const memory = { limit: 64 * MEBIBYTE };
  const container = await create('sleep 600', { linux: { resources: { memory } } });
  await start(container);
  const update = (limit: number) =>
    call('updateContainer', {
      container: container.id,
      resources: JSON.stringify({ memory: { limit } }),
    });
  await update(100 * MEBIBYTE);
  const stats = await call('stats', { container: container.id });
  assert.equal(stats.memoryLimitBytes, 100 * MEBIBYTE);
  assert.ok(stats.pids >= 1 && stats.memoryBytes > 0);
  await assert.rejects(update(8192 * MEBIBYTE), { code: 'SPEC_UNSUPPORTED', message: /256 MiB/ });
  await remove(container);
});

test('several containers share a sandbox, and end with the one that it was made for', async () => {
  const first = await create('hostname; sleep 600', { hostname: 'pod' });
  await start(first);
  await first.waitForOutput('pod\n');
  const path = `/proc/${first.pid}/ns`;
  const own = ['mount'].map((type) => ({ type }));
  const shared = ['pid', 'ipc', 'uts', 'network'].map((type) => {
    return { type, path: `${path}/${type === 'network' ? 'net' : type}` };
  });
  const namespaces = [...own, ...shared];
  const second = await create('hostname; ps; exit 4', { sandbox: first, namespaces });
  await start(second);
  assert.equal(await second.exited, 4);
  assert.match(second.stdout, /^pod\n/);
  assert.match(second.stdout, /sleep 600/); // of the first one's pid namespace
  await remove(second);
  const third = await create('echo up; sleep 600', { sandbox: first });
  const fourth = await create('sleep 600', { sandbox: first });
  await start(third);
  await third.waitForOutput('up\n');
  killSandboxer();
  await start(fourth);
  await remove(fourth);
  assert.equal(await fourth.exited, 137);
  assert.equal(listSandboxes().length, 2);
  await call('kill', { container: first.id, signal: 9 });
  assert.equal(await first.exited, 137);
  assert.equal(await third.exited, 137);
  assert.equal(third.stderr, '');
  for (const container of [first, third]) await remove(container);
  assert.deepEqual(listSandboxes(), []);
});

test('people see nothing of the containers of engines', async () => {
  const container = await create('sleep 600');
  await start(container);
  assert.equal(await host.succeed(['ps', '-aq']), '');
  await host.succeed(['rm', '--all', '--force']);
  assert.notEqual((await host.wardian(['inspect', container.id])).exitCode, 0);
  assert.deepEqual((await call('info', {})).containers, { running: 1, exited: 0 });
  await assert.rejects(call('shutdown', { force: false }), { code: 'CONTAINER_RUNNING' });
  await remove(container);
});

test('a sandboxer that was started for one container leaves with it, or when it is never made', async () => {
  const own = new TestHost();
  try {
    mkdirSync(own.runtimeDirectory, { mode: 0o700 });
    const options = { command: ['sh', '-c', 'sleep 0.5; exit 9'], rootfs };
    const container = await EngineContainer.prepare(own, 'provisional', options);
    own.environment['WARDIAN_PROVISIONAL'] = container.id;
    const client = await connectSandboxer(own);
    assert.equal((await client.call('info', {})).provisional, true);
    assert.equal((await client.call('info', {})).pool.size, 0);
    await client.call('createContainer', container.describe());
    container.go();
    await client.call('startContainer', { container: container.id });
    assert.equal(await container.exited, 9);
    await client.lost; // though this client is still there
    await waitUntil(() => own.getSandboxerPid() === undefined);
    own.environment['WARDIAN_PROVISIONAL'] = 'f'.repeat(64);
    const next = await connectSandboxer(own); // starts one more, which adopts what has ended
    await next.call('deleteContainer', { container: container.id });
    next.close();
    await waitUntil(() => own.getSandboxerPid() === undefined);
  } finally {
    await own.close();
  }
});

const MEBIBYTE = 1024 * 1024;
const PATIENCE_MS = 20_000;

function readMachinePid({ id }: EngineContainer): number {
  const file = path.join(host.runtimeDirectory, 'sandboxes', id.slice(0, 16), 'state.json');
  const state = JSON.parse(readFileSync(file, 'utf8')) as SandboxState;
  return state.machine?.record.pid ?? 0;
}

/** Ticks of processor time (proc(5), stat fields 14 and 15) that the container's VMM uses. */
async function countTicks(container: EngineContainer, durationMs: number): Promise<number> {
  const pid = readMachinePid(container);
  const readTicks = (): number => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const [user, system] = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 13);
    return Number(user) + Number(system);
  };
  const before = readTicks();
  await pauseMs(durationMs);
  return readTicks() - before;
}

async function waitUntil(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await isTrue())) {
    assert.ok(Date.now() < deadline, 'it took too long');
    await pauseMs(20);
  }
}

function pauseMs(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
