import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { RuntimeHost } from '../support/runtime-host.ts';

const STAGES = ['prestart', 'createRuntime', 'createContainer', 'poststart', 'poststop'] as const;
const MEBIBYTE = 1024 * 1024;

let host: RuntimeHost;

before(() => {
  host = new RuntimeHost();
});
after(() => host.close());

const inFolder = (name: string): string => path.join(host.host.directory, name);

/** Hooks of every stage on the host that write what they see into one file, a line each. */
function makeHooks(file: string): Record<string, object[]> {
  const script = 'read -r state; echo "$STAGE $(readlink /proc/self/ns/net) $state" >> "$OUT"';
  return Object.fromEntries(
    STAGES.map((stage) => [
      stage,
      [
        {
          path: '/bin/sh',
          args: ['sh', '-c', script],
          env: [`STAGE=${stage}`, `OUT=${file}`, 'PATH=/usr/bin:/bin'],
        },
      ],
    ]),
  );
}

function readHooks(file: string): { stage: string; network: string; state: { pid: number } }[] {
  const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
  return lines.map((line) => {
    const [stage = '', network = '', ...state] = line.split(' ');
    return { stage, network, state: JSON.parse(state.join(' ')) };
  });
}

test('hooks run in their order, where they belong, and see the state of that moment', async () => {
  const file = inFolder('hooks');
  const guestHook = {
    path: '/bin/sh',
    args: ['sh', '-c', 'read -r state; echo "guest: $state" >&2'],
    env: ['PATH=/bin'],
  };
  const hooks = { ...makeHooks(file), startContainer: [guestHook] };
  const bundle = host.makeBundle('hooks', {
    args: ['sh', '-c', 'sleep 1000'],
    spec: { hooks, annotations: { color: 'green' } },
  });
  await host.succeed('create', '-b', bundle, 'hooks');
  assert.deepEqual(
    readHooks(file).map(({ stage }) => stage),
    ['prestart', 'createRuntime', 'createContainer'],
  );
  const { pid } = await host.getState('hooks');
  const networkOfStub = readlinkSync(`/proc/${pid}/ns/net`);
  await host.succeed('start', 'hooks');
  await host.succeed('delete', '--force', 'hooks');
  const seen = readHooks(file);
  assert.deepEqual(
    seen.map(({ stage }) => stage),
    STAGES,
  );
  const own = readlinkSync('/proc/self/ns/net');
  assert.deepEqual(
    seen.map(({ network }) => network),
    [own, own, networkOfStub, own, own],
  );
  const common = { ociVersion: '1.2.0', id: 'hooks', bundle, annotations: { color: 'green' } };
  assert.deepEqual(
    seen.map(({ state }) => state),
    ['created', 'creating', 'creating', 'running', 'stopped'].map((status) => ({
      ...common,
      status,
      pid: status === 'stopped' ? 0 : pid,
    })),
  );
});

test('a hook can use the namespaces of the process that it is told of', async () => {
  const hook = {
    path: '/bin/sh',
    args: [
      'sh',
      '-c',
      'exec nsenter --net=/proc/$(grep -o \'"pid":[0-9]*\' | grep -o "[0-9]*")/ns/net ip link set lo up',
    ],
    env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin'],
  };
  const bundle = host.makeBundle('enter', { spec: { hooks: { prestart: [hook] } } });
  await host.succeed('run', '-b', bundle, 'enter');
});

test('a hook that fails undoes the container, which hooks are told of', async () => {
  for (const stage of ['prestart', 'createRuntime', 'createContainer'] as const) {
    const file = inFolder(`undone-${stage}`);
    const hooks = makeHooks(file);
    const failing = { path: '/bin/sh', args: ['sh', '-c', 'echo broken >&2; exit 3'] };
    hooks[stage] = [failing, ...(hooks[stage] ?? [])];
    const bundle = host.makeBundle('undone', { spec: { hooks } });
    await host.fail(
      new RegExp(`error running ${stage} hook #0 \\(/bin/sh\\): exit status 3: broken`),
      ...['create', '-b', bundle, 'undone'],
    );
    const stages = readHooks(file).map((seen) => seen.stage);
    assert.deepEqual(stages, [...STAGES.slice(0, STAGES.indexOf(stage)), 'poststop']);
    await host.fail(/does not exist/, 'state', 'undone');
    assert.deepEqual(host.listLeftovers(), []);
  }
});

test('a hook that only watches fails with a warning, in the log when there is one', async () => {
  const hooks = { poststart: [{ path: '/bin/false' }], poststop: [{ path: '/bin/false' }] };
  const bundle = host.makeBundle('warned', { spec: { hooks } });
  const log = inFolder('warned.log');
  const flags = ['--log', log, '--log-format', 'json'];
  const result = await host.run([...flags, 'run', '-b', bundle, 'warned']);
  assert.deepEqual([result.exitCode, result.stderr], [0, '']);
  const lines = readFileSync(log, 'utf8').trim().split('\n');
  assert.deepEqual(
    lines.map((line) => JSON.parse(line)).map(({ level, msg }) => [level, msg]),
    ['poststart', 'poststop'].map((stage) => [
      'warning',
      `error running ${stage} hook #0 (/bin/false): exit status 1`,
    ]),
  );
});

test('machine and stub live in the cgroups of the container, whose limits can be changed', async () => {
  const resources = {
    memory: { limit: 200 * MEBIBYTE },
    cpu: { quota: 50_000, period: 100_000 },
    pids: { limit: 50 },
  };
  const bundle = host.makeBundle('limits', {
    args: ['sh', '-c', 'echo up; sleep 1000'],
    linux: { resources },
    spec: { mounts: [...cgroupMounts()] },
  });
  await host.succeed('create', '-b', bundle, 'limits');
  await host.succeed('start', 'limits');
  const { pid } = await host.getState('limits');
  const names = readProcesses('pids', 'limits').map((process) => process.name);
  assert.deepEqual(names.sort(), ['qemu-system-x86', 'wardian-stub']);
  assert.ok(readProcesses('memory', 'limits').some((process) => process.pid === pid));
  const onHost = Number(readLimit('memory', 'memory.limit_in_bytes', 'memory.max'));
  assert.ok(onHost > 200 * MEBIBYTE, String(onHost));
  assert.deepEqual(await readGuestLimits(), [200 * MEBIBYTE, 50, '50000 100000']);

  await host.succeed('update', '--memory', '100m', '--pids-limit', '20', 'limits');
  const changed = { cpu: { quota: 25_000, period: 100_000 } };
  const update = await host.run(['update', '--resources', '-', 'limits'], {
    stdin: JSON.stringify(changed),
  });
  assert.deepEqual([update.exitCode, update.stderr], [0, '']);
  assert.deepEqual(await readGuestLimits(), [100 * MEBIBYTE, 20, '25000 100000']);
  assert.ok(Number(readLimit('memory', 'memory.limit_in_bytes', 'memory.max')) < onHost);
  await host.fail(
    /is more than the container’s virtual machine can give: it has 1 CPU and \d+ MiB/,
    ...['update', '--memory', '3g', 'limits'],
  );
  assert.deepEqual(await readGuestLimits(), [100 * MEBIBYTE, 20, '25000 100000']);
  await host.succeed('kill', 'limits', 'KILL');
  await host.waitForStatus('limits', 'stopped');
  await host.fail(/container not running/, 'update', '--memory', '64m', 'limits');
  await host.succeed('delete', 'limits');
});

async function readGuestLimits(): Promise<[number, number, string]> {
  const script = 'cd /sys/fs/cgroup; cat memory.max pids.max cpu.max';
  const [memory, pids, cpu] = (await host.succeed('exec', 'limits', 'sh', '-c', script)).split(
    '\n',
  );
  return [Number(memory), Number(pids), cpu ?? ''];
}

test('events are figures of the container, until it ends', async () => {
  const bundle = host.makeBundle('events', {
    args: ['sleep', '1000'],
    linux: { resources: { memory: { limit: 128 * MEBIBYTE } } },
  });
  await host.succeed('create', '-b', bundle, 'events');
  await host.succeed('start', 'events');
  const { type, id, data } = JSON.parse(await host.succeed('events', '--stats', 'events'));
  assert.deepEqual([type, id], ['stats', 'events']);
  assert.ok(data.cpu.usage.total > 0 && data.memory.usage.usage > 0);
  assert.deepEqual([data.memory.usage.limit, data.pids.current], [128 * MEBIBYTE, 1]);
  const watching = host.start(['events', '--interval', '100ms', 'events']);
  while (watching.stdout.split('\n').length < 3) await new Promise((done) => setTimeout(done, 20));
  await host.succeed('kill', 'events', 'KILL');
  const { exitCode, stderr } = await watching.ended;
  assert.deepEqual([exitCode, stderr], [0, '']);
  await host.fail(/container not running/, 'events', 'events');
  await host.succeed('delete', 'events');
});

test('the specification to begin with is written once, and runs', async () => {
  const bundle = inFolder('begun');
  mkdirSync(bundle);
  await host.succeed('spec', '--bundle', bundle);
  const file = path.join(bundle, 'config.json');
  await host.fail(/config\.json exists already/, 'spec', '-b', bundle);
  const config = JSON.parse(readFileSync(file, 'utf8'));
  config.root.path = inFolder('rootfs');
  config.process.terminal = false;
  config.process.args = ['sh', '-c', 'id -u; echo > /x || echo read-only'];
  config.linux.cgroupsPath = `${host.cgroup}/begun`;
  writeFileSync(file, JSON.stringify(config));
  const { exitCode, stdout } = await host.run(['run', '-b', bundle, 'begun']);
  assert.deepEqual([exitCode, stdout], [0, '0\nread-only\n']);
  rmSync(bundle, { recursive: true });
});

test('features are told as JSON', async () => {
  const features = JSON.parse(await host.succeed('features'));
  assert.deepEqual([features.ociVersionMin, features.ociVersionMax], ['1.0.0', '1.2.0']);
  assert.equal(features.hooks.length, 6);
});

function cgroupMounts(): object[] {
  return [
    { destination: '/proc', type: 'proc', source: 'proc' },
    { destination: '/dev', type: 'tmpfs', source: 'tmpfs' },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['ro'] },
    { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['ro'] },
  ];
}

/** The folder of a container's cgroup that has a controller, in either version. */
function cgroupOf(controller: string, id: string): string {
  const folders = [`/sys/fs/cgroup/${controller}`, '/sys/fs/cgroup'];
  const found = folders.map((folder) => `${folder}${host.cgroup}/${id}`).find(existsSync);
  assert.ok(found, `${id} has no cgroup for ${controller}`);
  return found;
}

function readLimit(controller: string, ...files: string[]): string {
  const folder = cgroupOf(controller, 'limits');
  const found = files.map((file) => path.join(folder, file)).find(existsSync);
  return found === undefined ? '' : readFileSync(found, 'utf8').trim();
}

function readProcesses(controller: string, id: string): { pid: number; name: string }[] {
  const pids = readFileSync(path.join(cgroupOf(controller, id), 'cgroup.procs'), 'utf8');
  return pids
    .split('\n')
    .filter(Boolean)
    .map((pid) => ({
      pid: Number(pid),
      name: readFileSync(`/proc/${pid}/comm`, 'utf8').trim(),
    }));
}
