import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MachineConfig } from '../../machine/machine-config.ts';
import { buildQemuArguments, type QemuPlan } from './arguments.ts';

const config: MachineConfig = {
  cpus: 2,
  memoryBytes: 512 * 1024 * 1024,
  boot: { kernelPath: '/k', initramfsPath: '/i', acpi: true, parameters: ['extra=1'] },
  devices: [
    { kind: 'agent-port' },
    { kind: 'root-disk', path: '/images/a,b' },
    { kind: 'scsi-controller' },
    { kind: 'network', id: 'net0', backend: { kind: 'none' } },
    { kind: 'share', tag: 'wardian', path: '/run/a,b' },
    { kind: 'random' },
  ],
};

function plan(changes: Partial<QemuPlan>): QemuPlan {
  const qemuPath = '/usr/bin/qemu';
  return {
    directory: '/run/m,1',
    qemuPath,
    accelerator: 'tcg',
    config,
    start: { kind: 'boot' },
    tscKhz: 2_600_000,
    ...changes,
  };
}

/** Every value that follows an option. */
function valuesOf(argv: string[], option: string): string[] {
  return argv.flatMap((word, index) => (word === option ? [argv[index + 1] ?? ''] : []));
}

describe('the command line of QEMU', () => {
  it('boots under TCG', () => {
    assert.deepEqual(buildQemuArguments(plan({})), [
      ...['/usr/bin/qemu', '-name', '/run/m,,1/'],
      '-M',
      'microvm,rtc=on,pit=on,pcie=off,usb=off,graphics=off,x-option-roms=off,acpi=on,auto-kernel-cmdline=off',
      ...['-accel', 'tcg,tb-size=64', '-cpu', 'max,-erms,-fsrm', '-m', '512M', '-smp', '2'],
      ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
      ...['-global', 'virtio-mmio.force-legacy=false'],
      ...['-chardev', 'socket,id=qmp,fd=10,server=on,wait=off', '-mon', 'chardev=qmp,mode=control'],
      ...['-add-fd', 'fd=4,set=1', '-chardev', 'file,id=console,path=/dev/fdset/1,append=on'],
      ...['-serial', 'chardev:console', '-chardev', 'socket,id=agent,fd=11,server=on,wait=off'],
      ...['-device', 'virtio-serial-device,max_ports=2'],
      ...['-device', 'virtserialport,chardev=agent,name=wardian.agent'],
      '-blockdev',
      'driver=file,node-name=root-disk,read-only=on,locking=off,filename=/images/a,,b',
      ...['-device', 'virtio-blk-device,drive=root-disk,num-queues=1'],
      ...['-device', 'virtio-scsi-device,id=scsi,num_queues=1'],
      ...['-netdev', 'hubport,id=net0,hubid=0'],
      ...['-device', 'virtio-net-device,netdev=net0,guest_announce=off'],
      '-fsdev',
      'local,id=wardian,path=/proc/self/fd/7,readonly=on,security_model=passthrough,multidevs=remap',
      ...['-device', 'virtio-9p-device,fsdev=wardian,mount_tag=wardian'],
      ...['-object', 'rng-builtin,id=random', '-device', 'virtio-rng-device,rng=random'],
      ...['-kernel', '/k', '-initrd', '/i', '-append'],
      'console=ttyS0 quiet panic=-1 reboot=t no_timer_check noreplace-smp tsc=reliable tsc_early_khz=2600000 mitigations=off norandmaps extra=1',
      '-sandbox',
      'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny',
    ]);
  });

  it('puts a layer below which the image can change where the root disk is exchangeable', () => {
    const devices = [{ kind: 'root-disk' as const, path: '/images/a,b', exchangeable: true }];
    assert.deepEqual(
      valuesOf(buildQemuArguments(plan({ config: { ...config, devices } })), '-blockdev'),
      [
        'driver=raw,node-name=root-disk,read-only=on,file.driver=file,file.read-only=on,file.locking=off,file.filename=/images/a,,b',
      ],
    );
  });

  it('leaves the tricks of emulation out under KVM', () => {
    const argv = buildQemuArguments(plan({ accelerator: 'kvm' }));
    assert.deepEqual(valuesOf(argv, '-accel'), ['kvm']);
    assert.deepEqual(valuesOf(argv, '-append'), ['console=ttyS0 quiet panic=-1 reboot=t extra=1']);
    const emulated = buildQemuArguments(plan({}));
    const except = (words: string[]) =>
      words.filter((_, index) => !['-accel', '-cpu', '-append'].includes(words[index - 1] ?? ''));
    assert.deepEqual(except(argv), except(emulated));
  });

  it('gives a guest under KVM the host’s CPU with all that KVM adds, its clock above all', () => {
    // Any property behind "host" would take something away.
    const argv = buildQemuArguments(plan({ accelerator: 'kvm' }));
    assert.deepEqual(valuesOf(argv, '-cpu'), ['host']);
  });

  it('hands the kernel over uncompressed, for QEMU to enter by its PVH entry', () => {
    for (const accelerator of ['tcg', 'kvm'] as const) {
      const argv = buildQemuArguments(plan({ accelerator }));
      assert.deepEqual(valuesOf(argv, '-kernel'), ['/k']);
      assert.deepEqual([...valuesOf(argv, '-bios'), ...valuesOf(argv, '-machine')], []);
    }
  });

  it('names the firmware of a QEMU that was built here', () => {
    const argv = buildQemuArguments(plan({ firmwareDirectory: '/usr/share/qemu' }));
    assert.deepEqual(argv.slice(0, 3), ['/usr/bin/qemu', '-L', '/usr/share/qemu']);
    assert.deepEqual(valuesOf(buildQemuArguments(plan({})), '-L'), []);
  });

  it('shares the memory of a template to be, and keeps a clone from changing it', () => {
    const template = buildQemuArguments(plan({ start: { kind: 'boot-snapshotable' } }));
    const clone = buildQemuArguments(plan({ start: { kind: 'clone' } }));
    const memory = 'memory-backend-file,id=mem,size=512M,mem-path=/proc/self/fd/5,share=';
    assert.ok(template.includes(`${memory}on`));
    assert.ok(clone.includes(`${memory}off`));
    assert.deepEqual(valuesOf(clone, '-incoming'), ['defer']);
    assert.deepEqual(valuesOf(clone, '-kernel'), []);
  });

  it('lets a guest write to a share that is its own, and leaves it to the forks of a stem', () => {
    const share = { kind: 'share', tag: 't', path: '/run/a', writable: true } as const;
    const options = (changes: Partial<QemuPlan>) =>
      valuesOf(buildQemuArguments(plan(changes)), '-fsdev')[0];
    assert.match(options({ config: { ...config, devices: [share] } }) ?? '', /,readonly=off,/);
    assert.match(options({ start: { kind: 'stem' } }) ?? '', /,readonly=off,/);
    assert.match(options({ start: { kind: 'clone' } }) ?? '', /,readonly=on,/);
  });

  it('has a hub for each network device', () => {
    const devices = ['net0', 'net1'].map(
      (id) => ({ kind: 'network', id, backend: { kind: 'none' } }) as const,
    );
    const argv = buildQemuArguments(plan({ config: { ...config, devices } }));
    const hubs = ['hubport,id=net0,hubid=0', 'hubport,id=net1,hubid=1'];
    assert.deepEqual(valuesOf(argv, '-netdev'), hubs);
  });

  it('gives template and clone the same devices in the same order', () => {
    const template = buildQemuArguments(plan({ start: { kind: 'boot-snapshotable' } }));
    const clone = buildQemuArguments(plan({ start: { kind: 'clone' } }));
    assert.deepEqual(valuesOf(clone, '-device'), valuesOf(template, '-device'));
    assert.equal(valuesOf(clone, '-M')[0], valuesOf(template, '-M')[0]);
  });

  it('lets a kernel without ACPI find its devices on the kernel command line', () => {
    const boot = { ...config.boot, acpi: false };
    const argv = buildQemuArguments(plan({ config: { ...config, boot } }));
    assert.match(valuesOf(argv, '-M')[0] ?? '', /acpi=off,auto-kernel-cmdline=on/);
  });

  it('has no more devices than a machine without ACPI has transports', () => {
    const { devices } = config;
    const argv = buildQemuArguments(plan({ config: { ...config, devices } }));
    const onTransports = valuesOf(argv, '-device').filter((device) =>
      /^virtio-.*-device/.test(device),
    );
    assert.ok(onTransports.length <= 8, onTransports.join(' '));
  });
});
