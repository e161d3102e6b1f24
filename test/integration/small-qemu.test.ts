import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { type BuiltQemu, findQemu } from '../../scripts/setup/built-guest.ts';
import { findDirectories } from '../../src/host/directories.ts';
import { loadDriver } from '../../src/hypervisor/registry.ts';
import { bootSandboxMachine, cloneSandboxMachine } from '../../src/template/clone.ts';
import { type Guest, loadGuests } from '../../src/template/guest.ts';
import { chooseSizeClass } from '../../src/template/size-class.ts';
import { TemplateStore } from '../../src/template/template-store.ts';

const launcherPath = path.resolve(import.meta.dirname, '../../dist/launcher');
const { cache } = findDirectories(process.env, process.getuid?.() ?? 0);
const qemu = findQemu(path.join(cache, 'guest/build'));
const isSetUp = existsSync(launcherPath) && existsSync(path.join(cache, 'guest/manifest.json'));

const MIB = 2 ** 20;
/** Debian’s program, with 51 libraries beside it, has 18 MB. */
const PROGRAM_LIMIT_BYTES = 9 * MIB;
/** Devices that can be named on a command line, without the CPUs, which are a hundred. A device exists only in a machine that names it. */
const DEVICES = [
  ...listVirtio(['9p', 'blk', 'net', 'rng', 'scsi', 'serial']),
  ...['vhost-user-fs-device', 'vhost-user-fs-pci', 'virtio-pmem', 'virtio-pmem-pci'],
  // What they carry.
  ...['virtconsole', 'virtserialport', 'scsi-block', 'scsi-cd', 'scsi-generic', 'scsi-hd'],
  ...['isa-serial', 'isa-debugcon', 'isa-debug-exit', 'mc146818rtc'],
  // A PC is not to be had without these in QEMU 7.2: q35 selects them, microvm its USB controller.
  ...[
    'floppy',
    'i8042',
    'isa-fdc',
    'ich9-ahci',
    'ide-cd',
    'ide-hd',
    'pci-bridge',
    'pci-bridge-seat',
  ],
  ...['acpi-erst', 'pc-dimm', 'ramfb', 'vmcoreinfo', 'vmgenid'],
  ...['usb-hub', 'usb-kbd', 'usb-mouse', 'usb-tablet'],
].sort();

function listVirtio(kinds: readonly string[]): string[] {
  const ends = ['device', 'pci', 'pci-transitional', 'pci-non-transitional'];
  return kinds.flatMap((kind) => ends.map((end) => `virtio-${kind}-${end}`));
}

function skipReason(): string | false {
  if (!isSetUp) return 'run scripts/setup.sh first';
  return qemu === undefined
    ? 'no small QEMU of this recipe: run `wardian guest build qemu`'
    : false;
}

describe('the small QEMU', { skip: skipReason() }, () => {
  const { path: program, firmwareDirectory } = qemu as BuiltQemu;

  it('has our devices and no others', () => {
    assert.deepEqual(listDevices(program), DEVICES);
  });

  it('has both accelerators', () => {
    const text = execFileSync(program, ['-accel', 'help'], { encoding: 'utf8' });
    assert.deepEqual(text.trim().split('\n').slice(1).sort(), ['kvm', 'tcg']);
  });

  it('is small, stripped, and placed at random like every program of Debian', () => {
    const file = readFileSync(program);
    assert.ok(file.length < PROGRAM_LIMIT_BYTES, `${file.length} bytes`);
    const header = execFileSync('readelf', ['-hSW', program], { encoding: 'utf8' });
    assert.match(header, /Type:\s+DYN/);
    assert.doesNotMatch(header, /\.symtab|\.debug_info/);
  });

  it('filters its own system calls', async () => {
    const child = spawn(
      program,
      [
        ...['-M', 'none', '-nodefaults', '-display', 'none', '-qmp', 'stdio'],
        ...['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'],
      ],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    try {
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
      const greeting = await lines.next();
      assert.match(String(greeting.value), /"QMP"/);
      assert.match(readFileSync(`/proc/${child.pid}/status`, 'utf8'), /^Seccomp:\t2$/m);
    } finally {
      child.kill('SIGKILL');
    }
  });

  describe('with the distribution’s kernel', () => {
    const size = chooseSizeClass({ memoryBytes: 64 * MIB });
    let folder = '';
    let guest: Guest;
    let count = 0;

    before(async () => {
      folder = mkdtempSync(path.join(tmpdir(), 'wq-'));
      for (const name of ['cache', 'disks']) mkdirSync(path.join(folder, name));
      symlinkSync(path.join(cache, 'guest'), path.join(folder, 'cache/guest'));
      guest = (await loadGuests(path.join(folder, 'cache'))).distro;
    });

    after(() => rmSync(folder, { recursive: true, force: true }));

    async function load() {
      const vmm = { path: program, firmwareDirectory };
      const cacheDirectory = path.join(folder, 'cache');
      const diskDirectories = [path.join(folder, 'disks')];
      const options = { launcherPath, cacheDirectory, diskDirectories, accelerator: 'tcg', vmm };
      return (await loadDriver('qemu', options)).driver;
    }

    function place() {
      count += 1;
      const id = `m${count}`;
      const directory = path.join(folder, id);
      mkdirSync(directory, { mode: 0o711 });
      return { id, directory };
    }

    it('boots with all our devices, of which the network leads nowhere', async () => {
      const driver = await load();
      const { machine, agent } = await bootSandboxMachine({ driver, guest, size, ...place() });
      try {
        assert.equal((await agent.ping()).kernelRelease, guest.kernelRelease);
      } finally {
        agent.close();
        await machine.kill();
      }
    });

    it('clones', async () => {
      const driver = await load();
      const store = new TemplateStore({
        cacheDirectory: path.join(folder, 'cache'),
        runtimeDirectory: path.join(folder, 'run'),
        driver,
        guest,
        launcherPath,
      });
      try {
        const template = await store.obtain(size);
        const { machine, agent } = await cloneSandboxMachine({ driver, template, ...place() });
        assert.equal((await agent.ping()).kernelRelease, guest.kernelRelease);
        agent.close();
        await machine.kill();
      } finally {
        await store.close();
      }
    });
  });
});

function listDevices(program: string): string[] {
  const text = execFileSync(program, ['-device', 'help'], { encoding: 'utf8' });
  const names = [...text.matchAll(/^name "(?<name>[^"]+)"/gm)].map(
    ({ groups }) => groups?.['name'] ?? '',
  );
  return names.filter((name) => !name.endsWith('-x86_64-cpu')).sort();
}
