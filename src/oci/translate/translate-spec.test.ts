import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GuestContainer, GuestProcess } from '../guest-operations.ts';
import type { Linux, Process, Spec } from '../runtime-spec/types.ts';
import { translateProcess as translateExec } from './translate-process.ts';
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
  const linux = { namespaces: [{ type: 'pid' as const }], ...part.linux };
  const process = { cwd: '/', args: ['true'] };
  return translateSpec({ ociVersion: '1.2.0', process, ...part, linux }, { ...policy, ...changes });
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
      cpus: [],
      findHome: true,
    },
    namespaces: CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWPID,
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
      inheritable: ['CAP_KILL', 'CAP_CHOWN', 'CAP_FLY'],
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
  assert.equal(process.capabilities.inheritable, 1n, 'without what is not in the bounding set');
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
    [{ scheduler: { policy: 'SCHED_ISO' } }, /^process\.scheduler\.policy is "SCHED_ISO"/],
    [
      { scheduler: { policy: 'SCHED_RR', flags: ['SCHED_FLAG_X'] } },
      /^process\.scheduler\.flags\[0\] is "SCHED_FLAG_X"/,
    ],
    [{ ioPriority: { class: 'IOPRIO_CLASS_NONE' } }, /^process\.ioPriority\.class is /],
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
    [{ linux: { namespaces: [{ type: 'mount' }] } }, /^linux\.namespaces: has no pid namespace/],
    [{ linux: { timeOffsets: { monotonic: {} } } }, /^linux\.timeOffsets: /],
    [{ linux: { netDevices: { eth0: {} } } }, /^linux\.netDevices: /],
    [{ linux: { memoryPolicy: { mode: 'MPOL_BIND' } } }, /^linux\.memoryPolicy: /],
    [
      { linux: { devices: [{ type: 'b', path: '/dev/sda', major: 8, minor: 0 }] } },
      /^linux\.devices\[0\]: \/dev\/sda \(b 8:0\) is a device of the host/,
    ],
    [{ linux: { intelRdt: {} } }, /^linux\.intelRdt: /],
    [{ linux: { uidMappings: [{ containerID: 0, hostID: 0, size: 1 }] } }, /^linux\.uidMappings: /],
  ];
  for (const [part, message] of cases) {
    assert.throws(() => translate(part), { code: 'SPEC_UNSUPPORTED', message });
  }
  assert.doesNotThrow(() => translate({ hooks: { prestart: [hook], createContainer: [hook] } }));
  const processless = { ociVersion: '1.2.0', linux: { namespaces: [{ type: 'pid' as const }] } };
  assert.throws(() => translateSpec(processless, policy), { code: 'SPEC_INVALID' });
});

test('hooks of the guest get the state on stdin', () => {
  const hook = { path: '/bin/x', args: ['x', '1'], timeout: 3 };
  const { startHooks } = translate(
    { hooks: { startContainer: [hook, { path: '/bin/y' }] } },
    { hookState: '{"id":"c1"}' },
  );
  const input = Buffer.from('{"id":"c1"}');
  assert.deepEqual(startHooks, [
    { path: '/bin/x', args: ['x', '1'], env: [], timeoutMilliseconds: 3000, input },
    { path: '/bin/y', args: [], env: [], timeoutMilliseconds: 0, input },
  ]);
});

test('a process is served as it asks', () => {
  const process = translateProcess({
    env: ['HOME=/x'],
    scheduler: {
      policy: 'SCHED_DEADLINE',
      flags: ['SCHED_FLAG_RECLAIM', 'SCHED_FLAG_DL_OVERRUN'],
      runtime: 1n,
      deadline: 2n,
      period: 3n,
    },
    ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 7 },
    execCPUAffinity: { initial: '0', final: '1' },
  });
  assert.deepEqual(process.scheduler, {
    ...{ policy: 6, flags: 6n, nice: 0, priority: 0 },
    ...{ runtimeNanoseconds: 1n, deadlineNanoseconds: 2n, periodNanoseconds: 3n },
  });
  assert.equal(process.ioPriority, (2 << 13) | 7);
  assert.deepEqual([process.cpus, process.findHome], [[], false]);
  const { personality } = translate({ linux: { personality: { domain: 'LINUX32' } } }).process;
  assert.equal(personality, 8);
});

test('an exec keeps to its processors', () => {
  const affinity = (final: string) =>
    translateExec(
      { cwd: '/', args: ['x'], execCPUAffinity: { initial: '7', final } },
      { stdin: false, seccomp: undefined, isExec: true },
    ).cpus;
  assert.deepEqual(affinity('0-2, 5'), [0, 1, 2, 5]);
  assert.deepEqual(affinity(''), []);
  for (const wrong of ['2-1', 'x', '0-', '0-99999', '1-2-3']) {
    assert.throws(() => affinity(wrong), { code: 'SPEC_INVALID' }, wrong);
  }
});

test('a pid namespace may be another container’s', () => {
  const joins = [{ namespace: CLONE_NEWPID, containerId: 'c0' }];
  const guest = translate({ linux: { namespaces: [{ type: 'mount' }] } }, { joins });
  assert.deepEqual(guest.joins, joins);
  assert.equal(guest.namespaces, CLONE_NEWNS | CLONE_NEWCGROUP);
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
    linux: { namespaces: [{ type: 'pid' }], seccomp: { defaultAction: 'SCMP_ACT_ALLOW' } },
  };
  const [first, second] = [translateSpec(spec, policy), translateSpec(spec, policy)];
  assert.ok(first.process.seccompFilter.length > 0);
  assert.equal(first.process.seccompFilter, second.process.seccompFilter);
});
