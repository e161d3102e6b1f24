import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { examineHost, type HostFinding, type HostView } from './host-report.ts';

let directory = '';

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'wardian-report-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function write(file: string, content: string, mode = 0o644): string {
  const target = path.join(directory, file);
  mkdirSync(path.dirname(target), { recursive: true });
  writeFileSync(target, content);
  chmodSync(target, mode);
  return target;
}

function view(changes: Partial<HostView> = {}): HostView {
  const directories = {
    runtime: path.join(directory, 'run'),
    cache: path.join(directory, 'cache'),
    data: path.join(directory, 'data'),
  };
  return {
    root: directory,
    directories,
    uid: process.getuid?.() ?? -1,
    nodeVersion: '20.1.0',
    searchPath: path.join(directory, 'bin'),
    builtFiles: [],
    ...changes,
  };
}

async function find(subject: string, changes: Partial<HostView> = {}): Promise<HostFinding> {
  const found = (await examineHost(view(changes))).find((finding) => finding.subject === subject);
  assert.ok(found, `nothing was said about ${subject}`);
  return found;
}

test('on an empty host everything is told with a remedy, and nothing throws', async () => {
  const findings = await examineHost(view());
  for (const finding of findings) {
    assert.equal(finding.status === 'ok', finding.remedy === undefined, finding.subject);
  }
  const missing = findings.filter((finding) => finding.status === 'missing');
  assert.deepEqual(
    missing.map((finding) => finding.subject),
    ['qemu', 'guest'],
  );
});

test('an old Node is missing, not merely old', async () => {
  const node = await find('node', { nodeVersion: '18.19.0' });
  assert.equal(node.status, 'missing');
  assert.match(node.text, /18\.19\.0 is too old/);
});

test('QEMU is found in PATH and asked for its version', async () => {
  write('bin/qemu-system-x86_64', '#!/bin/sh\necho QEMU emulator version 9.9\necho more\n', 0o755);
  const qemu = await find('qemu');
  assert.equal(qemu.status, 'ok');
  assert.equal(qemu.text, `${directory}/bin/qemu-system-x86_64, QEMU emulator version 9.9`);
});

test('a QEMU that does not run is told with its complaint', async () => {
  write('bin/qemu-system-x86_64', '#!/bin/sh\necho libfoo.so is not there >&2\nexit 127\n', 0o755);
  const qemu = await find('qemu');
  assert.equal(qemu.status, 'missing');
  assert.match(qemu.text, /libfoo\.so is not there/);
});

test('KVM: device and CPU are told apart', async () => {
  write('proc/cpuinfo', 'processor\t: 0\nflags\t\t: fpu svm sse\n');
  assert.match((await find('kvm device')).text, /not there, though the CPU offers it/);
  write('dev/kvm', '');
  assert.deepEqual(await find('kvm device'), {
    subject: 'kvm device',
    status: 'ok',
    text: '/dev/kvm opens, the CPU has svm',
  });
  write('proc/cpuinfo', 'processor\t: 0\nflags\t\t: fpu sse\n');
  assert.match((await find('kvm device')).text, /neither vmx nor svm/);
});

test('a guest whose kernel has gone is told by file', async () => {
  const files = {
    kernel: path.join(directory, 'absent'),
    initramfs: write('initramfs', ''),
    busybox: write('busybox', ''),
  };
  const distro = { ...files, kernelRelease: '6.1.0-1-amd64' };
  write('cache/guest/manifest.json', JSON.stringify({ version: 1, distro }));
  assert.match((await find('guest')).text, /the kernel that .*manifest\.json names is not there/);
  write('absent', '');
  assert.deepEqual(await find('guest'), {
    subject: 'guest',
    status: 'ok',
    text: 'Linux 6.1.0-1-amd64',
  });
  write('cache/guest/manifest.json', '{"version":1,');
  assert.match((await find('guest')).text, /cannot be read/);
});

test("somebody else's runtime folder is refused, a link too", async () => {
  mkdirSync(path.join(directory, 'run'));
  assert.equal((await find('runtime')).status, 'ok');
  assert.equal((await find('runtime', { uid: 4711 })).status, 'missing');
  rmSync(path.join(directory, 'run'), { recursive: true });
  symlinkSync('/tmp', path.join(directory, 'run'));
  assert.equal((await find('runtime')).status, 'missing');
});

test('cgroups: version 2 is told by its controllers file', async () => {
  assert.match((await find('cgroup')).text, /not version 2/);
  write('proc/self/cgroup', '0::/user.slice\n');
  write('sys/fs/cgroup/cgroup.controllers', 'cpu memory pids\n');
  write('sys/fs/cgroup/user.slice/cgroup.controllers', 'memory pids\n');
  assert.match((await find('cgroup')).text, /not delegated/);
  write('sys/fs/cgroup/user.slice/cgroup.procs', '');
  assert.deepEqual(await find('cgroup'), {
    subject: 'cgroup',
    status: 'ok',
    text: 'version 2, ours with memory pids',
  });
});

test('user namespaces matter to others than root', async () => {
  assert.equal((await find('namespaces', { uid: 1000 })).status, 'warn');
  write('proc/sys/user/max_user_namespaces', '1000\n');
  assert.equal((await find('namespaces', { uid: 1000 })).status, 'ok');
  write('proc/sys/kernel/unprivileged_userns_clone', '0\n');
  assert.equal((await find('namespaces', { uid: 1000 })).status, 'warn');
  assert.equal((await find('namespaces', { uid: 0 })).status, 'ok');
});

test('little memory is a warning with the amount', async () => {
  write('proc/meminfo', 'MemTotal: 1000 kB\nMemAvailable:   102400 kB\n');
  const memory = await find('memory');
  assert.deepEqual([memory.status, memory.text], ['warn', '100 MiB available']);
});

test('files that were not built are named', async () => {
  const there = write('dist/sandboxer.cjs', '');
  assert.equal((await find('build', { builtFiles: [there] })).text, 'sandboxer.cjs');
  const absent = path.join(directory, 'dist/launcher');
  assert.match(
    (await find('build', { builtFiles: [there, absent] })).text,
    /dist\/launcher is not there/,
  );
});
