import assert from 'node:assert/strict';
import { test } from 'node:test';
import { REQUEST_PARSERS } from './request-parsers.ts';

const ID = 'a'.repeat(64);
const EXEC = {
  container: 'web',
  execId: ID,
  command: ['true'],
  env: [],
  terminal: true,
  terminalSize: { rows: 24, columns: 80 },
  interactive: false,
  detached: false,
};
const ATTACH = { container: 'web', execId: ID, stdin: true, owner: true };
const LOGS = { container: 'web', follow: true, timestamps: false };
const NETWORK = {
  interfaces: [
    {
      name: 'eth0',
      macAddress: '02:42:ac:11:00:02',
      mtuBytes: 1500,
      addresses: [
        { address: '172.17.0.2', prefixLength: 16, broadcast: '172.17.255.255', scope: 0 },
      ],
      settings: [{ family: 'ipv6', name: 'accept_ra', value: 0 }],
      backend: { kind: 'tap', namespacePath: '/proc/7/ns/net', name: 'tap0' },
    },
  ],
  routes: [
    {
      family: 'inet',
      prefixLength: 0,
      gateway: '172.17.0.1',
      device: 'eth0',
      metric: 0,
      scope: 0,
      type: 1,
      flags: 0,
    },
  ],
  neighbours: [
    { address: '172.17.0.1', macAddress: '02:42:ac:11:00:01', device: 'eth0', state: 128 },
  ],
};
const CREATE = {
  id: ID,
  name: 'web',
  spec: '{}',
  share: {
    directory: '/proc/7/root/run/wardian/share',
    folder: 'web',
    binds: [{ mount: 3, name: 'bind-3' }],
  },
  stub: { pid: 7, startTicks: '12345' },
  cgroupDirectories: ['/sys/fs/cgroup/memory/web'],
  hookState: '{}',
};

/** A whole request of each method. */
const WHOLE: { readonly [M in keyof typeof REQUEST_PARSERS]: readonly object[] } = {
  hello: [{ version: '1' }],
  run: [],
  exec: [
    EXEC,
    { ...EXEC, workingDirectory: '/', user: '0:0', terminalSize: { rows: 0, columns: 0 } },
  ],
  list: [{ all: true }],
  inspect: [{ container: 'web' }],
  stop: [{ container: 'web', timeoutMs: 0 }],
  kill: [
    { container: 'web', signal: 9 },
    { container: 'web', signal: 64, execId: ID },
    { container: 'web', signal: 15, all: true },
  ],
  remove: [{ container: 'web', force: false, timeoutMs: 10_000 }],
  wait: [{ container: 'web' }],
  resize: [
    { container: 'web', rows: 1, columns: 65_535 },
    { container: 'web', execId: ID, rows: 1, columns: 1 },
  ],
  stats: [{ container: 'web' }],
  info: [{}],
  prepareTemplate: [{ limits: { cpus: 2 } }],
  drainPool: [{}],
  shutdown: [{ force: true }],
  attach: [
    { ...ATTACH, from: 'start' },
    { ...ATTACH, from: 'now' },
    { ...ATTACH, from: { stdout: 0, stderr: 2 ** 40, stdin: 7 } },
  ],
  logs: [
    LOGS,
    { ...LOGS, tail: 0, sinceMs: -1.5, untilMs: 1e12, start: { position: 3, skipLines: 0 } },
  ],
  createContainer: [CREATE, { ...CREATE, network: NETWORK, sandbox: ID }],
  startContainer: [{ container: ID }],
  deleteContainer: [{ container: ID }],
  execContainer: [{ container: ID, execId: ID, process: '{}', stub: CREATE.stub }],
  pauseContainer: [{ container: ID }],
  resumeContainer: [{ container: ID }],
  updateContainer: [{ container: ID, resources: '{}' }],
};

for (const [method, requests] of Object.entries(WHOLE) as [
  keyof typeof REQUEST_PARSERS,
  object[],
][]) {
  test(`${method}: a whole request comes back as it is, without what nobody asked for`, () => {
    for (const request of requests) {
      assert.deepEqual(REQUEST_PARSERS[method]({ ...request, surprise: 1 }), request);
    }
  });
}

const WRONG: [keyof typeof REQUEST_PARSERS, unknown, RegExp][] = [
  ['hello', {}, /^version must be a text$/],
  ['list', { all: 1 }, /^all must be true or false$/],
  ['inspect', { container: ['web'] }, /^container must be a text$/],
  ['inspect', null, /^request must be an object$/],
  ['stop', { container: 'web', timeoutMs: 2 ** 31 }, /^timeoutMs must be a number from 0/],
  ['stop', { container: 'web' }, /^timeoutMs/],
  ['kill', { container: 'web', signal: 0 }, /^signal must be a number from 1 to 64$/],
  ['kill', { container: 'web', signal: 9, execId: '' }, /^execId must be 64 hex digits$/],
  ['remove', { container: 'web', force: 'yes', timeoutMs: 0 }, /^force/],
  ['resize', { container: 'web', rows: 1.5, columns: 1 }, /whole number/],
  ['resize', { container: 'web', rows: 70_000, columns: 1 }, /^terminalSize.rows/],
  ['prepareTemplate', {}, /^limits must be an object$/],
  ['shutdown', {}, /^force/],
  ['exec', { ...EXEC, execId: '../x' }, /^execId must be 64 hex digits$/],
  ['exec', { ...EXEC, command: ['a\0b'] }, /NUL/],
  ['exec', { ...EXEC, env: 'A=1' }, /^env must be a list/],
  ['attach', { ...ATTACH, from: 'end' }, /^from must be an object$/],
  ['attach', { ...ATTACH, from: { stdout: -1, stderr: 0, stdin: 0 } }, /^from.stdout/],
  ['attach', { ...ATTACH, from: { stdout: 0, stderr: null, stdin: 0 } }, /^from.stderr/],
  ['logs', { ...LOGS, tail: -1 }, /^tail/],
  ['logs', { ...LOGS, sinceMs: 'yesterday' }, /^sinceMs/],
  ['logs', { ...LOGS, start: { position: 0.5, skipLines: 0 } }, /^start.position/],
  ['createContainer', { ...CREATE, id: 'web' }, /^id must be 64 hex digits$/],
  ['createContainer', { ...CREATE, spec: {} }, /^spec must be a text$/],
  ['createContainer', { ...CREATE, share: { ...CREATE.share, folder: '../x' } }, /^share.folder/],
  ['createContainer', { ...CREATE, share: { ...CREATE.share, directory: 'x' } }, /absolute/],
  [
    'createContainer',
    { ...CREATE, share: { ...CREATE.share, binds: [{ mount: 0, name: '.' }] } },
    /^share.binds\[0\].name/,
  ],
  ['createContainer', { ...CREATE, stub: { pid: 0, startTicks: '1' } }, /^stub.pid/],
  ['createContainer', { ...CREATE, stub: { pid: 1, startTicks: '-1' } }, /^stub.startTicks/],
  ['createContainer', { ...CREATE, cgroupDirectories: ['..'] }, /^cgroupDirectories\[0\]/],
  ['createContainer', { ...CREATE, network: {} }, /^network.interfaces must be a list$/],
  [
    'createContainer',
    { ...CREATE, network: { ...NETWORK, neighbours: [{ address: '::1' }] } },
    /^network.neighbours\[0\].macAddress/,
  ],
  ['startContainer', { container: ID.slice(1) }, /^container must be 64 hex digits$/],
  ['execContainer', { container: ID, execId: ID, process: '{}' }, /^stub must be an object$/],
  ['updateContainer', { container: ID, resources: { memory: 1 } }, /^resources must be a text$/],
  ['logs', { ...LOGS, start: 7 }, /^start must be an object$/],
];

for (const [method, request, message] of WRONG) {
  test(`${method}: ${JSON.stringify(request)?.slice(0, 60)} is refused with ${message}`, () => {
    assert.throws(() => REQUEST_PARSERS[method](request), { code: 'USAGE', message });
  });
}
