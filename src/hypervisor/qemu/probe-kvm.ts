import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { captureCommand, FilterError } from '../../host/spawn.ts';

/** A guest of three instructions takes milliseconds; a KVM that cannot run it may hang for good. */
const PROBE_TIMEOUT_MS = 1_000;
const FIRMWARE_BYTES = 64 * 1024;
/** The first instruction of a reset x86 CPU lies sixteen bytes below the end of the firmware. */
const RESET_VECTOR = FIRMWARE_BYTES - 16;
/** mov al, 1; out 0xf4, al; hlt */
const PROGRAM = Buffer.from([0xb0, 0x01, 0xe6, 0xf4, 0xf4]);
/** isa-debug-exit ends QEMU with twice the value written, plus one. */
const EXIT_CODE = 3;

/** Runs a guest of three instructions under KVM; undefined when it ran, else what went wrong. */
export async function probeKvm(qemuPath: string): Promise<string | undefined> {
  const folder = await mkdtemp(path.join(tmpdir(), 'wardian-probe-'));
  try {
    const firmware = path.join(folder, 'probe.bin');
    const image = Buffer.alloc(FIRMWARE_BYTES, 0xf4);
    PROGRAM.copy(image, RESET_VECTOR);
    await writeFile(firmware, image);
    await captureCommand(qemuPath, buildProbeArguments(firmware), {
      timeoutMs: PROBE_TIMEOUT_MS,
      maxOutputBytes: 4096,
    });
    return 'the probe guest did not run';
  } catch (error) {
    if (!(error instanceof FilterError))
      return error instanceof Error ? error.message : String(error);
    return error.complaint === `exit ${EXIT_CODE}` ? undefined : error.complaint;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function buildProbeArguments(firmware: string): string[] {
  return [
    ...['-M', 'microvm,pcie=off,usb=off', '-accel', 'kvm', '-cpu', 'host', '-m', '16M'],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-bios', firmware],
    ...['-device', 'isa-debug-exit,iobase=0xf4,iosize=4'],
  ];
}
