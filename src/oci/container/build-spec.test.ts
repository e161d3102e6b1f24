import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatSpec, parseSpec } from '../runtime-spec/parse.ts';
import { translateSpec } from '../translate/translate-spec.ts';
import { buildSpec } from './build-spec.ts';
import type { ContainerInput, ContainerRequest, ImageDefaults } from './container-input.ts';

const ID = '0123456789abcdef'.repeat(4);

const REQUEST: ContainerRequest = {
  id: ID,
  env: [],
  terminal: false,
  readOnly: false,
  tmpfs: [],
  labels: {},
  limits: {},
};

const IMAGE: ImageDefaults = {
  entrypoint: [],
  cmd: ['sh'],
  env: ['PATH=/bin', 'LANG=C'],
  workingDirectory: '',
  user: '',
  labels: { maker: 'us', version: '1' },
};

const USERS = {
  passwd: 'root:x:0:0::/root:/bin/sh\nweb:x:33:33::/var/www:/bin/sh\n',
  group: 'web:x:33:\nadm:x:4:web\n',
};

function build(request: Partial<ContainerRequest>, image: Partial<ImageDefaults> = {}) {
  const input: ContainerInput = {
    request: { ...REQUEST, ...request },
    image: { ...IMAGE, ...image },
    users: USERS,
  };
  return buildSpec(input);
}

test('a plain run has podman’s defaults', () => {
  const spec = build({});
  assert.equal(spec.hostname, '0123456789ab');
  assert.deepEqual(spec.root, { path: 'rootfs', readonly: false });
  assert.deepEqual(spec.process?.args, ['sh']);
  assert.equal(spec.process?.cwd, '/');
  assert.deepEqual(spec.process?.env, [
    'PATH=/bin',
    'container=wardian',
    'HOSTNAME=0123456789ab',
    'HOME=/root',
    'LANG=C',
  ]);
  assert.equal(spec.process?.capabilities?.bounding?.length, 11);
  assert.deepEqual(spec.process?.capabilities?.effective, spec.process?.capabilities?.bounding);
  assert.equal(spec.process?.user?.umask, 0o022);
  assert.deepEqual(
    spec.mounts?.map(({ destination }) => destination),
    ['/proc', '/dev', '/sys', '/dev/pts', '/dev/mqueue', '/dev/shm', '/sys/fs/cgroup'],
  );
  assert.deepEqual(spec.linux?.resources, { pids: { limit: 2048n } });
  assert.ok(spec.linux?.maskedPaths?.includes('/proc/kcore'));
  assert.ok(spec.linux?.readonlyPaths?.includes('/proc/sys'));
});

test('what is built is valid, survives JSON and can be translated', () => {
  const spec = build({
    terminal: true,
    terminalSize: { rows: 24, columns: 80 },
    readOnly: true,
    tmpfs: [{ destination: '/data', options: 'size=1m' }],
    limits: { cpus: 1.5, memoryBytes: 1 << 28, pids: 10 },
  });
  assert.deepEqual(parseSpec(formatSpec(spec)), spec);
  const guest = translateSpec(spec, { id: ID, layers: [], stdin: true });
  assert.equal(guest.process.rows, 24);
  assert.equal(guest.rootfs.readOnly, true);
  assert.equal(guest.process.capabilities.bounding, 0x800405fbn);
  assert.deepEqual(guest.cgroupFiles, [
    { key: 'memory.max', value: '268435456' },
    { key: 'cpu.max', value: '150000 100000' },
    { key: 'pids.max', value: '10' },
  ]);
});

test('entrypoint and command go together as in podman', () => {
  const image = { entrypoint: ['/entry'], cmd: ['serve'] };
  const cases: [Partial<ContainerRequest>, string[]][] = [
    [{}, ['/entry', 'serve']],
    [{ command: ['other', 'x'] }, ['/entry', 'other', 'x']],
    [{ command: [] }, ['/entry', 'serve']],
    [{ entrypoint: ['/mine'] }, ['/mine']],
    [{ entrypoint: ['/mine'], command: ['x'] }, ['/mine', 'x']],
    [{ entrypoint: [], command: ['x'] }, ['x']],
  ];
  for (const [request, args] of cases) {
    assert.deepEqual(build(request, image).process?.args, args, JSON.stringify(request));
  }
  for (const request of [{ entrypoint: [] }, { entrypoint: [''] }]) {
    assert.throws(() => build(request, image), { code: 'USAGE' });
  }
  assert.throws(() => build({}, { cmd: [] }), { code: 'USAGE', message: /^no command/ });
});

test('the environment is layered and checked', () => {
  const env = build({ env: ['LANG=de', 'EMPTY=', 'HOME=/h'], terminal: true }).process?.env ?? [];
  assert.deepEqual(env, [
    ...['PATH=/bin', 'container=wardian', 'TERM=xterm', 'HOSTNAME=0123456789ab', 'HOME=/h'],
    ...['LANG=de', 'EMPTY='],
  ]);
  assert.ok(build({}, { env: [] }).process?.env?.[0]?.startsWith('PATH=/usr/local/sbin:'));
  for (const wrong of ['NAME', '=x', '', 'A=\0']) {
    assert.throws(() => build({ env: [wrong] }), { code: 'USAGE' }, wrong);
  }
});

test('a user other than root has no capabilities to begin with', () => {
  const { process } = build({ user: 'web' });
  assert.deepEqual(process?.user, { uid: 33, gid: 33, umask: 0o022, additionalGids: [33, 4] });
  assert.deepEqual(process?.capabilities?.effective, []);
  assert.equal(process?.capabilities?.bounding?.length, 11);
  assert.ok(process?.env?.includes('HOME=/var/www'));
  assert.equal(build({}, { user: '33' }).process?.user?.uid, 33);
  assert.throws(() => build({ user: 'nobody' }), { code: 'USER_NOT_FOUND', message: /"nobody"/ });
});

test('the working directory is the request’s, else the image’s', () => {
  assert.equal(build({}, { workingDirectory: '/srv/' }).process?.cwd, '/srv');
  assert.equal(build({ workingDirectory: '/w' }, { workingDirectory: '/srv' }).process?.cwd, '/w');
  assert.equal(build({ workingDirectory: 'rel' }).process?.cwd, '/rel');
});

test('a read-only root leaves places to write, unless the request mounts its own', () => {
  const destinations = (request: Partial<ContainerRequest>) =>
    build({ readOnly: true, ...request }).mounts?.slice(7) ?? [];
  assert.deepEqual(
    destinations({}).map(({ destination }) => destination),
    ['/run', '/tmp', '/var/tmp'],
  );
  const own = destinations({ tmpfs: [{ destination: '/tmp/', options: 'ro,mode=700,exec' }] });
  assert.deepEqual(
    own.map(({ destination }) => destination),
    ['/run', '/var/tmp', '/tmp'],
  );
  assert.deepEqual(own[2]?.options, [
    ...['rprivate', 'nosuid', 'nodev', 'tmpcopyup', 'ro', 'mode=700', 'exec'],
  ]);
});

test('tmpfs mounts come outer first and in places that exist', () => {
  const tmpfs = ['/a/b', '/a'].map((destination) => ({ destination, options: '' }));
  const places = build({ tmpfs }).mounts?.slice(7) ?? [];
  assert.deepEqual(
    places.map(({ destination }) => destination),
    ['/a', '/a/b'],
  );
  for (const destination of ['/', 'relative', '', '/x/..']) {
    assert.throws(() => build({ tmpfs: [{ destination, options: '' }] }), { code: 'USAGE' });
  }
  const twice = ['/a', '/a/'].map((destination) => ({ destination, options: '' }));
  assert.throws(() => build({ tmpfs: twice }), { code: 'USAGE' });
});

test('limits become resources', () => {
  assert.deepEqual(build({ limits: { cpus: 0.01 } }).linux?.resources?.cpu, {
    quota: 1000n,
    period: 100_000n,
  });
  assert.equal(build({ limits: { pids: -1 } }).linux?.resources?.pids?.limit, -1n);
  const wrong = [{ cpus: 0 }, { cpus: Number.NaN }, { memoryBytes: 1.5 }, { pids: -2 }];
  for (const limits of wrong) {
    assert.throws(() => build({ limits }), { code: 'USAGE' }, JSON.stringify(limits));
  }
});

test('labels become annotations, those of the request last', () => {
  const { annotations } = build({ labels: { version: '2' } });
  assert.deepEqual(annotations, { maker: 'us', version: '2' });
});

test('what would harm further on is refused', () => {
  for (const hostname of ['', 'a\nb', '-x', 'a'.repeat(65)]) {
    assert.throws(() => build({ hostname }), { code: 'USAGE', message: /is not a host name$/ });
  }
  assert.throws(() => build({ command: ['a\0b'] }), { code: 'SPEC_INVALID' });
  assert.throws(() => build({}, { workingDirectory: '/\n' }), { code: 'SPEC_INVALID' });
});
