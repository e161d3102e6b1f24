import path from 'node:path';
import type { GuestChoice } from '../../configuration/configuration.ts';
import { loadConfiguration } from '../../configuration/load-configuration.ts';
import { examineHost, type HostFinding } from '../../host/host-report.ts';
import type { AcceleratorChoice } from '../../hypervisor/driver-options.ts';
import type { Explanation } from '../../template/explain-pair.ts';
import { GuestPairs } from '../../template/guest-pairs.ts';
import { toWardianError } from '../../util/errors.ts';
import type { CommandContext } from '../command.ts';
import { defineCommand } from '../define-command.ts';
import { writeJson, writeText } from '../output/write-text.ts';

/** `wardian check`: what this host offers, what it lacks, and the remedy. Ends with 0 when containers can run. */
export const check = defineCommand(
  {
    name: 'check',
    operands: '',
    maximumOperands: 0,
    summary: 'say what this host can do, what not, and the remedy',
    flags: { json: { help: 'print JSON' } },
  },
  async ({ flags }, context) => {
    const findings = await examine(context);
    const canRun = findings.every((finding) => finding.status !== 'missing');
    if (flags.json) await writeJson(context.stdout, { canRun, findings });
    else await writeText(context.stdout, renderFindings(findings, canRun));
    return canRun ? 0 : 1;
  },
);

async function examine(context: CommandContext): Promise<HostFinding[]> {
  const launcherPath = path.join(path.dirname(context.sandboxerPath), 'launcher');
  const host = await examineHost({
    root: '/',
    directories: context.directories,
    uid: process.getuid?.() ?? -1,
    nodeVersion: process.versions.node,
    searchPath: context.environment['PATH'] ?? '',
    builtFiles: [context.sandboxerPath, launcherPath],
  });
  // Without these no pair of kernel and VMM can be chosen, and the host's findings say so already.
  const needed = ['qemu', 'build', 'guest'];
  const canChoose = host.every(
    ({ subject, status }) => status !== 'missing' || !needed.includes(subject),
  );
  return canChoose ? [...host, ...(await examineConfigured(launcherPath, context))] : host;
}

async function examineConfigured(
  launcherPath: string,
  context: CommandContext,
): Promise<HostFinding[]> {
  try {
    const { values } = await loadConfiguration({ environment: context.environment });
    return await examinePair(launcherPath, context, values.guest);
  } catch (thrown) {
    const { message, hint } = toWardianError(thrown);
    return [{ subject: 'settings', status: 'missing', text: message, remedy: hint ?? message }];
  }
}

/** What a sandbox would get here: where the signs for KVM are good a probe guest has the last word. */
async function examinePair(
  launcherPath: string,
  { directories, environment }: CommandContext,
  preference: GuestChoice,
): Promise<HostFinding[]> {
  try {
    const pairs = await GuestPairs.open({
      cacheDirectory: directories.cache,
      runtimeDirectory: directories.runtime,
      launcherPath,
      diskDirectories: [],
      accelerator: environment['WARDIAN_ACCEL'],
      preference,
    });
    const { kernel, vmm, loaded } = await pairs.describe();
    return [
      describeAccelerator(loaded.choice),
      describeConfinement(loaded.unconfined),
      describeChoice('kernel', `${kernel.name}, ${kernel.release || 'not there'}`, kernel),
      describeChoice('vmm', `${vmm.name}, ${vmm.version}`, vmm),
    ];
  } catch (thrown) {
    const { message, hint } = toWardianError(thrown);
    const remedy = hint ?? 'see the messages above';
    return [{ subject: 'accelerator', status: 'missing', text: message, remedy }];
  }
}

function describeAccelerator({ accelerator, reason }: AcceleratorChoice): HostFinding {
  const finding = { subject: 'accelerator', text: `${accelerator}: ${reason}` };
  if (accelerator === 'kvm') return { ...finding, status: 'ok' };
  const remedy = 'nothing needs to be done: guests are emulated, which is slower';
  return { ...finding, status: 'warn', remedy };
}

/** What is used is good enough to run; what could be built is smaller and faster. */
function describeChoice(
  subject: string,
  chosen: string,
  { reason, remedy }: Explanation,
): HostFinding {
  const finding = { subject, text: `${chosen}: ${reason}` };
  return remedy === undefined
    ? { ...finding, status: 'ok' }
    : { ...finding, status: 'warn', remedy };
}

function describeConfinement(unconfined: string | undefined): HostFinding {
  const subject = 'confinement';
  if (unconfined === undefined) {
    return { subject, status: 'ok', text: 'VMMs have namespaces and a root folder of their own' };
  }
  return {
    subject,
    status: 'warn',
    text: `VMMs see the files and the network of this user: ${unconfined}`,
    remedy: 'allow user namespaces (sysctl, AppArmor), or run as root',
  };
}

/** One line a finding, below it what to do, and a verdict at the end. */
export function renderFindings(findings: readonly HostFinding[], canRun: boolean): string {
  const width = Math.max(...findings.map((finding) => finding.subject.length));
  const lines = findings.flatMap(({ subject, status, text, remedy }) => [
    `${status.padEnd('missing'.length)}  ${subject.padEnd(width)}  ${text}`,
    ...(remedy === undefined ? [] : [`${' '.repeat('missing'.length + width + 4)}→ ${remedy}`]),
  ]);
  const verdict = canRun ? 'Containers can run here.' : 'Containers cannot run here yet.';
  return `${lines.join('\n')}\n${verdict}\n`;
}
