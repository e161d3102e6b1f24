import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { buildInitramfs } from '../../../guest/initramfs/initramfs.ts';

/** A machine for one boot, without agent and templates: a kernel, the probe as /init, and images of every kind. */

const SOURCES = import.meta.dirname;
/** musl's own headers first; the kernel's stand behind them. */
const COMPILE = [
  ...['musl-gcc', '-std=gnu11', '-D_GNU_SOURCE', '-O1', '-Wall', '-Wextra', '-Werror', '-static'],
  ...['-no-pie', '-idirafter', '/usr/include/x86_64-linux-gnu', '-idirafter', '/usr/include'],
];

/** Tools that make the images; all of them are in scripts/packages. */
export const TOOLS = ['musl-gcc', 'mkfs.ext4', 'mkfs.erofs', 'mksquashfs'];

export interface Workshop {
  readonly directory: string;
  readonly initramfs: string;
  /** In the order of their numbers on the SCSI bus. */
  readonly disks: readonly string[];
  /** A folder that the guest mounts by 9p. */
  readonly share: string;
  close(): void;
}

/** Compiles the probe and makes one image of each kind, all with the same file. */
export function openWorkshop(): Workshop {
  const directory = mkdtempSync('/tmp/wardian-kernel-');
  const at = (name: string) => path.join(directory, name);
  const sources = readdirSync(SOURCES).filter((name) => name.endsWith('.c'));
  run([...COMPILE, '-o', at('probe'), ...sources.map((name) => path.join(SOURCES, name))]);
  writeFileSync(at('initramfs'), buildInitramfs({ agent: readFileSync(at('probe')), modules: [] }));
  mkdirSync(at('files'));
  // Long enough to be compressed.
  writeFileSync(at('files/message'), 'the message\n'.repeat(1000));
  const squashfs = ['zstd', 'gzip', 'xz', 'lz4'].map((compression) => {
    run(['mksquashfs', at('files'), at(compression), '-comp', compression, '-quiet']);
    return at(compression);
  });
  for (const type of ['ext4', 'ext2']) {
    run([`mkfs.${type}`, '-q', '-d', at('files'), at(type), '4M']);
  }
  run(['mkfs.erofs', '-zlz4', at('erofs'), at('files')]);
  return {
    directory,
    initramfs: at('initramfs'),
    disks: [at('ext4'), at('ext2'), at('erofs'), ...squashfs],
    share: at('files'),
    close: () => rmSync(directory, { recursive: true }),
  };
}

export interface Answers {
  /** "ok", or why not, by the name of the check. */
  readonly checks: ReadonlyMap<string, string>;
  /** What the probe merely tells. */
  readonly told: ReadonlyMap<string, string>;
  readonly console: string;
}

/** The longest that a boot with all checks may take on a busy machine. */
const TIMEOUT_MS = 120_000;

/** Boots the kernel by emulation, on a processor that needs every mitigation, whatever it was made for, and collects what the probe says. */
export async function probeKernel(
  { initramfs, disks, share }: Workshop,
  { kernel, parameters }: { kernel: string; parameters: readonly string[] },
): Promise<Answers> {
  const scsiDisks = disks.flatMap((file, index) => [
    ...['-drive', `if=none,id=disk${index},format=raw,readonly=on,file=${file}`],
    ...['-device', `scsi-hd,drive=disk${index},scsi-id=0,lun=${index}`],
  ]);
  const console = await collectConsole([
    ...['qemu-system-x86_64', '-M', 'microvm,rtc=on,pit=on,acpi=off,auto-kernel-cmdline=on'],
    ...['-accel', 'tcg,tb-size=64', '-cpu', 'max,vendor=GenuineIntel', '-m', '256M', '-smp', '2'],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-serial', 'stdio'],
    ...['-global', 'virtio-mmio.force-legacy=false'],
    ...['-device', 'virtio-serial-device', '-chardev', 'null,id=agent'],
    ...['-device', 'virtserialport,chardev=agent,name=wardian.agent'],
    ...['-blockdev', 'driver=null-co,node-name=root,size=1048576,read-zeroes=on'],
    ...['-device', 'virtio-blk-device,drive=root'],
    ...['-device', 'virtio-scsi-device,num_queues=1', ...scsiDisks],
    ...['-netdev', 'hubport,id=net,hubid=0', '-device', 'virtio-net-device,netdev=net'],
    ...['-fsdev', `local,id=share,path=${share},security_model=none`],
    ...['-device', 'virtio-9p-device,fsdev=share,mount_tag=share'],
    ...['-object', 'rng-builtin,id=random', '-device', 'virtio-rng-device,rng=random'],
    ...['-kernel', kernel, '-initrd', initramfs, '-append'],
    ['console=ttyS0', 'quiet', 'panic=-1', 'reboot=t', ...parameters].join(' '),
  ]);
  return { ...parseAnswers(console), console };
}

function collectConsole([program, ...arguments_]: readonly string[]): Promise<string> {
  const child = spawn(program as string, arguments_, { stdio: ['ignore', 'pipe', 'pipe'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS);
  const chunks: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => {
      clearTimeout(timer);
      resolve(Buffer.concat(chunks).toString('latin1'));
    });
  });
}

function parseAnswers(console: string): Pick<Answers, 'checks' | 'told'> {
  const collect = (kind: string) =>
    new Map(
      [...console.matchAll(new RegExp(`^${kind}: ([^:\\r\\n]+): ([^\\r\\n]*)`, 'gm'))].map(
        ([, name = '', text = '']) => [name, text],
      ),
    );
  return { checks: collect('probe'), told: collect('tell') };
}

function run([program, ...arguments_]: readonly string[]): void {
  execFileSync(program as string, arguments_, { stdio: ['ignore', 'ignore', 'pipe'] });
}
