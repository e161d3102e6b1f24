import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Spec } from '../runtime-spec/types.ts';
import type { ExecRequest } from './container-input.ts';
import { buildExecProcess } from './exec-process.ts';

const USERS = { passwd: 'root:x:0:0::/root:\nweb:x:33:34::/var/www:\n', group: 'adm:x:4:web\n' };

const CONTAINER: Spec = {
  ociVersion: '1.2.0',
  process: {
    cwd: '/srv',
    terminal: true,
    consoleSize: { height: 24, width: 80 },
    args: ['init'],
    env: ['PATH=/bin', 'HOME=/root', 'A=1'],
    user: { uid: 0, gid: 0, umask: 0o077, additionalGids: [9] },
    capabilities: { bounding: ['CAP_KILL'], effective: ['CAP_KILL'], permitted: ['CAP_KILL'] },
    rlimits: [{ type: 'RLIMIT_NOFILE', soft: 1n, hard: 2n }],
    noNewPrivileges: true,
  },
  linux: { seccomp: { defaultAction: 'SCMP_ACT_ALLOW' } },
};

const REQUEST: ExecRequest = { command: ['id'], env: [], terminal: false, interactive: false };

function build(request: Partial<ExecRequest>) {
  return buildExecProcess(CONTAINER, { ...REQUEST, ...request }, USERS);
}

test('a further process inherits the container’s identity and limits', () => {
  const process = build({});
  assert.deepEqual(process.args, ['id']);
  assert.deepEqual(process.env, ['PATH=/bin', 'HOME=/root', 'A=1']);
  assert.deepEqual([process.cwd, process.umask, process.noNewPrivileges], ['/srv', 0o077, true]);
  assert.deepEqual([process.terminal, process.rows, process.columns], [false, 0, 0]);
  assert.deepEqual(process.additionalGids, [9]);
  assert.deepEqual(process.rlimits, [{ resource: 7, soft: 1n, hard: 2n }]);
  assert.equal(process.capabilities.effective, 1n << 5n);
  assert.ok(process.seccompFilter.length > 0);
});

test('another user has a home and capabilities of its own', () => {
  const process = build({ user: 'web' });
  assert.deepEqual([process.uid, process.gid, process.additionalGids], [33, 34, [34, 4]]);
  assert.ok(process.env.includes('HOME=/var/www'));
  assert.deepEqual([process.capabilities.effective, process.umask], [0n, 0o077]);
  assert.equal(process.capabilities.bounding, 1n << 5n);
  assert.ok(build({ user: 'web', env: ['HOME=/x'] }).env.includes('HOME=/x'));
  assert.throws(() => build({ user: 'mia' }), { code: 'USER_NOT_FOUND' });
});

test('terminal, directory and environment are the request’s own', () => {
  const process = build({
    terminal: true,
    terminalSize: { rows: 50, columns: 132 },
    interactive: true,
    workingDirectory: 'sub',
    env: ['A=2', 'B=3'],
  });
  assert.deepEqual([process.terminal, process.rows, process.columns], [true, 50, 132]);
  assert.deepEqual([process.stdin, process.cwd], [true, '/srv/sub']);
  assert.deepEqual(process.env, ['TERM=xterm', 'PATH=/bin', 'HOME=/root', 'A=2', 'B=3']);
});

test('there must be a command, and variables must be assignments', () => {
  assert.throws(() => build({ command: [] }), { code: 'USAGE' });
  assert.throws(() => build({ command: [''] }), { code: 'USAGE' });
  assert.throws(() => build({ env: ['A'] }), { code: 'USAGE' });
});
