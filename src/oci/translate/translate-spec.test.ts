import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GuestContainer, GuestProcess } from '../guest-operations.ts';
import type { Linux, Process, Spec } from '../runtime-spec/types.ts';
import { type TranslationPolicy, translateSpec } from './translate-spec.ts';

const CLONE_NEWNS = 0x20000n;
const CLONE_NEWCGROUP = 0x2000000n;
const CLONE_NEWPID = 0x20000000n;
const CLONE_NEWIPC = 0x8000000n;

const policy: TranslationPolicy = {
  id: 'c1',
  layers: [{ lun: 1, type: 'erofs', data: '' }],
  stdin: false,
};

function translate(part: Partial<Spec>, changes: Partial<TranslationPolicy> = {}): GuestContainer {
  const spec: Spec = { ociVersion: '1.2.0', process: { cwd: '/', args: ['true'] }, ...part };
  return translateSpec(spec, { ...policy, ...changes });
}

function translateProcess(part: Partial<Process>): GuestProcess {
  return translate({ process: { cwd: '/', args: ['true'], ...part } }).process;
}

test('the smallest specification becomes a whole request', () => {
  const { devices, ...rest } = translate({});
  assert.deepEqual(
    devices.map(({ path, major, minor }) => `${path} ${major}:${minor}`),
    [
      ...['/dev/null 1:3', '/dev/zero 1:5', '/dev/full 1:7', '/dev/random 1:8', '/dev/urandom 1:9'],
      '/dev/tty 5:0',
    ],
  );
  assert.deepEqual(rest, {
    id: 'c1',
    rootfs: { layers: policy.layers, readOnly: false, writableBytes: 0n, folder: '' },
    process: {
      args: ['true'],
      env: [],
      cwd: '/',
      terminal: false,
      rows: 0,
      columns: 0,
      stdin: false,
      uid: 0,
      gid: 0,
      additionalGids: [],
      capabilities: { bounding: 0n, effective: 0n, permitted: 0n, inheritable: 0n, ambient: 0n },
      rlimits: [],
      noNewPrivileges: false,
      seccompFilter: new Uint8Array(),
      seccompFlags: 0,
    },
    namespaces: CLONE_NEWNS | CLONE_NEWCGROUP,
    hostname: '',
    mounts: [],
    files: [],
    maskedPaths: [],
    readonlyPaths: [],
    sysctls: [],
    cgroupFiles: [],
    rootfsPropagation: 0n,
    joins: [],
    startHooks: [],
  });
});

test('a process keeps its identity, terminal and limits', () => {
  const process = translateProcess({
    terminal: true,
    consoleSize: { height: 24, width: 80 },
    user: { uid: 1000, gid: 100, umask: 0o27, additionalGids: [7] },
    capabilities: {
      bounding: ['CAP_CHOWN', 'CAP_CHECKPOINT_RESTORE'],
      permitted: ['CAP_CHOWN'],
      effective: ['CAP_CHOWN'],
      inheritable: ['CAP_KILL', 'CAP_CHOWN'],
      ambient: ['CAP_KILL', 'CAP_CHOWN'],
    },
    rlimits: [
      { type: 'RLIMIT_NOFILE', soft: 1024n, hard: 2n ** 64n - 1n },
      { type: 'RLIMIT_RTTIME', soft: 0n, hard: 1n },
    ],
    noNewPrivileges: true,
    oomScoreAdj: -7,
  });
  assert.deepEqual([process.rows, process.columns, process.terminal], [24, 80, true]);
  assert.deepEqual([process.uid, process.gid, process.umask], [1000, 100, 0o27]);
  assert.equal(process.capabilities.bounding, (1n << 40n) | 1n);
  assert.equal(process.capabilities.effective, 1n);
  assert.equal(process.capabilities.ambient, 1n, 'without what is not permitted');
  assert.deepEqual(process.rlimits, [
    { resource: 7, soft: 1024n, hard: 2n ** 64n - 1n },
    { resource: 15, soft: 0n, hard: 1n },
  ]);
  assert.deepEqual([process.noNewPrivileges, process.oomScoreAdjust], [true, -7]);
});

test('contradictions in a process are named', () => {
  const cases: [Partial<Process>, RegExp][] = [
    [{ args: [] }, /^process\.args is empty/],
    [{ args: [''] }, /^process\.args\[0\] is an empty word/],
    [
      { capabilities: { bounding: ['CAP_FLY'] } },
      /^process\.capabilities\.bounding\[0\] is "CAP_FLY"/,
    ],
    [
      { capabilities: { effective: ['CAP_KILL'] } },
      /^process\.capabilities\.effective has capabilities that "permitted" has not$/,
    ],
    [
      { rlimits: [{ type: 'RLIMIT_X', soft: 0n, hard: 0n }] },
      /^process\.rlimits\[0\]\.type is "RLIMIT_X"/,
    ],
    [
      { rlimits: [{ type: 'RLIMIT_CPU', soft: 2n, hard: 1n }] },
      /^process\.rlimits\[0\]\.soft is 2, above the hard limit 1$/,
    ],
    [
      { rlimits: Array(2).fill({ type: 'RLIMIT_CPU', soft: 0n, hard: 1n }) },
      /^process\.rlimits\[1\]\.type names "RLIMIT_CPU" a second time$/,
    ],
  ];
  for (const [part, message] of cases) {
    assert.throws(() => translateProcess(part), { code: 'SPEC_INVALID', message });
  }
});

test('namespaces are made as far as specification and policy agree', () => {
  const linux: Linux = {
    namespaces: [
      { type: 'pid' },
      { type: 'ipc' },
      { type: 'network', path: '/proc/9/ns/net' },
      { type: 'uts' },
    ],
  };
  const always = CLONE_NEWNS | CLONE_NEWCGROUP;
  assert.equal(translate({ linux }).namespaces, always | CLONE_NEWPID);
  const newNamespaces = ['pid', 'ipc', 'network'] as const;
  const { namespaces } = translate({ linux }, { newNamespaces });
  assert.equal(namespaces, always | CLONE_NEWPID | CLONE_NEWIPC);
});

test('what the sandbox cannot mean is refused with its place', () => {
  const hook = { path: '/bin/x' };
  const cases: [Partial<Spec>, RegExp][] = [
    [{ linux: { namespaces: [{ type: 'user' }] } }, /^linux\.namespaces\[0\]: a user namespace/],
    [{ linux: { namespaces: [{ type: 'pid', path: '/p' }] } }, /^linux\.namespaces\[0\]: a pid/],
    [{ hooks: { createContainer: [hook] } }, /^hooks\.createContainer: /],
    [{ linux: { timeOffsets: { monotonic: {} } } }, /^linux\.timeOffsets: /],
    [{ linux: { intelRdt: {} } }, /^linux\.intelRdt: /],
    [{ linux: { personality: { domain: 'LINUX32' } } }, /^linux\.personality: "LINUX32"/],
    [{ linux: { uidMappings: [{ containerID: 0, hostID: 0, size: 1 }] } }, /^linux\.uidMappings: /],
    [
      { process: { cwd: '/', args: ['x'], scheduler: { policy: 'SCHED_FIFO' } } },
      /^process\.scheduler: /,
    ],
  ];
  for (const [part, message] of cases) {
    assert.throws(() => translate(part), { code: 'SPEC_UNSUPPORTED', message });
  }
  assert.doesNotThrow(() => translate({ hooks: { prestart: [hook] } }));
  assert.throws(() => translateSpec({ ociVersion: '1.2.0' }, policy), { code: 'SPEC_INVALID' });
});

test('devices of the specification join the default ones or replace them', () => {
  const { devices } = translate({
    linux: {
      devices: [
        { type: 'c', path: '/dev/fuse', major: 10, minor: 229, fileMode: 0o20600, gid: 5 },
        { type: 'p', path: '/dev/initctl' },
        { type: 'c', path: '/dev//null', major: 1, minor: 3, fileMode: 0o600 },
      ],
    },
  });
  assert.equal(devices.length, 8);
  const fuse = { type: 0o020000, major: 10, minor: 229, mode: 0o600, uid: 0, gid: 5 };
  assert.deepEqual(devices[6], { path: '/dev/fuse', ...fuse });
  assert.equal(devices[7]?.type, 0o010000);
  assert.equal(devices[0]?.mode, 0o600);
  assert.throws(() => translate({ linux: { devices: [{ type: 'b', path: '/dev/x' }] } }), {
    code: 'SPEC_INVALID',
  });
});

test('sysctls and the domain name are the sandbox kernel’s', () => {
  const linux = { sysctl: { 'net.ipv4.ip_forward': '1', 'net/ipv4/conf/eth0.1/x': '0' } };
  assert.deepEqual(translate({ linux, domainname: 'example.org' }).sysctls, [
    { key: 'net.ipv4.ip_forward', value: '1' },
    { key: 'net/ipv4/conf/eth0.1/x', value: '0' },
    { key: 'kernel.domainname', value: 'example.org' },
  ]);
  for (const name of ['a/../../b', 'a..b', 'a.', 'a//b']) {
    assert.throws(() => translate({ linux: { sysctl: { [name]: '1' } } }), {
      code: 'SPEC_INVALID',
    });
  }
});

test('the same seccomp profile is compiled once', () => {
  const spec: Spec = {
    ociVersion: '1.2.0',
    process: { cwd: '/', args: ['true'] },
    linux: { seccomp: { defaultAction: 'SCMP_ACT_ALLOW' } },
  };
  const [first, second] = [translateSpec(spec, policy), translateSpec(spec, policy)];
  assert.ok(first.process.seccompFilter.length > 0);
  assert.equal(first.process.seccompFilter, second.process.seccompFilter);
});
