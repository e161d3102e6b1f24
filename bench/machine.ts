import { readFileSync } from 'node:fs';
import { availableParallelism, loadavg, release, totalmem } from 'node:os';
import { captureCommand } from '../src/host/spawn.ts';

/** The machine by its properties: enough to compare figures, nothing that names it. */
export interface MachineDescription {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly kernel: string;
  readonly accelerator: string;
  readonly qemu: string;
  readonly node: string;
  /** Processes that wanted to run in the minute before the first measurement. */
  readonly loadAverage: number;
}

/** Above this somebody else was using the machine, and the figures say so. */
export const QUIET_LOAD = 0.5;

export async function describeMachine(accelerator: string): Promise<MachineDescription> {
  return {
    cpu: findCpuModel(readFileSync('/proc/cpuinfo', 'utf8')),
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: parseVersion(release()),
    accelerator,
    qemu: await findVersion(['qemu-system-x86_64', '--version']),
    node: process.version.slice(1),
    loadAverage: Math.round((loadavg()[0] ?? 0) * 100) / 100,
  };
}

export function findCpuModel(cpuinfo: string): string {
  const model = /^model name\s*:\s*(.+)$/m.exec(cpuinfo)?.[1];
  return model?.replaceAll(/\s+/g, ' ').trim() ?? 'unknown';
}

const VERSION_TIMEOUT_MS = 20_000;
const MAX_VERSION_BYTES = 4096;

/** The first version number that a program prints about itself. */
export async function findVersion(argv: readonly string[]): Promise<string> {
  const [command = '', ...rest] = argv;
  const { stdout } = await captureCommand(command, rest, {
    timeoutMs: VERSION_TIMEOUT_MS,
    maxOutputBytes: MAX_VERSION_BYTES,
  });
  return parseVersion(stdout);
}

export function parseVersion(text: string): string {
  const dated = /\b20\d{6}\b/.exec(text); // a snapshot, whose number says nothing
  const version = dated ?? /\d+\.\d+(?:\.\d+)?/.exec(text);
  return version?.[0] ?? text.split('\n')[0]?.trim() ?? '';
}

export function formatMachine(machine: MachineDescription): string {
  const load = machine.loadAverage.toFixed(2);
  return [
    `${machine.cores} cores of ${machine.cpu}, ${machine.memoryGib} GiB, Linux ${machine.kernel}`,
    `QEMU ${machine.qemu} under ${machine.accelerator}, Node ${machine.node}, load ${load}`,
  ].join('; ');
}
