import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { Process } from '../../oci/runtime-spec/types.ts';
import { checkCommand } from './check-command.ts';

let rootfs = '';

before(() => {
  rootfs = mkdtempSync(path.join(tmpdir(), 'wardian-'));
  for (const folder of ['usr/bin', 'work', 'data', 'run']) {
    mkdirSync(path.join(rootfs, folder), { recursive: true });
  }
  writeFileSync(path.join(rootfs, 'usr/bin/real'), '', { mode: 0o755 });
  writeFileSync(path.join(rootfs, 'usr/bin/text'), '', { mode: 0o644 });
  symlinkSync('/usr/bin', path.join(rootfs, 'bin'));
  symlinkSync('../usr/../../../../bin/real', path.join(rootfs, 'work/link'));
  symlinkSync('loop', path.join(rootfs, 'work/loop'));
  symlinkSync('/run', path.join(rootfs, 'var-run'));
});

after(() => rmSync(rootfs, { recursive: true }));

function check(command: string, change: Partial<Process> = {}, mounts: string[] = []): void {
  const process = { args: [command], cwd: '/work', env: ['PATH=/nowhere:/bin'], ...change };
  const spec = {
    ociVersion: '1.0.2',
    process,
    mounts: mounts.map((destination) => ({ destination })),
  };
  checkCommand(spec, rootfs);
}

test('a program is found as the guest would find it, links inside the root and all', () => {
  for (const command of [
    'real',
    '/bin/real',
    './link',
    '../bin/real',
    '/work/../../usr/bin/real',
  ]) {
    check(command);
  }
});

test('one that cannot be there, or cannot run, fails at once', () => {
  for (const command of ['none', '/none', '/work/loop', '/usr/bin/real/x', `/${'x'.repeat(300)}`]) {
    assert.throws(() => check(command), { code: 'COMMAND_NOT_FOUND' }, command);
  }
  assert.throws(() => check('none'), /executable file "none" not found in \$PATH: no such file/);
  for (const command of ['text', '/bin/text', '/work']) {
    assert.throws(() => check(command), { code: 'COMMAND_NOT_EXECUTABLE' }, command);
  }
  // The host's own files are not meant.
  assert.throws(() => check('/etc/hostname'), { code: 'COMMAND_NOT_FOUND' });
});

test('the way to a mount is made with it', () => {
  check('/sbin/init', {}, ['/sbin/init']);
  check('init', { env: ['PATH=/sbin'] }, ['/sbin/init']);
  assert.throws(() => check('/sbin/other', {}, ['/sbin/init']), { code: 'COMMAND_NOT_FOUND' });
});

test('what lies below a mount is left to the guest', () => {
  check('/data/program', {}, ['/data']);
  check('/var-run/program', {}, ['/run']);
  check('/run/program', {}, ['/var-run']);
  check('none', { env: ['PATH=/data'] }, ['/data']);
  assert.throws(() => check('/dat', {}, ['/data']), { code: 'COMMAND_NOT_FOUND' });
});

test('nothing is said where the guest chooses', () => {
  check('none', { env: [] });
  check('');
  checkCommand({ ociVersion: '1.0.2' }, rootfs);
});
