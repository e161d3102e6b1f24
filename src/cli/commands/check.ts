import path from 'node:path';
import { examineHost, type HostFinding } from '../../host/host-report.ts';
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
    const built = path.dirname(context.sandboxerPath);
    const findings = await examineHost({
      root: '/',
      directories: context.directories,
      uid: process.getuid?.() ?? -1,
      nodeVersion: process.versions.node,
      searchPath: context.environment['PATH'] ?? '',
      builtFiles: [context.sandboxerPath, path.join(built, 'launcher')],
    });
    const canRun = findings.every((finding) => finding.status !== 'missing');
    if (flags.json) await writeJson(context.stdout, { canRun, findings });
    else await writeText(context.stdout, renderFindings(findings, canRun));
    return canRun ? 0 : 1;
  },
);

/** One line a finding, and below it what to do. */
export function renderFindings(findings: readonly HostFinding[], canRun: boolean): string {
  const width = Math.max(...findings.map((finding) => finding.subject.length));
  const lines = findings.flatMap(({ subject, status, text, remedy }) => [
    `${status.padEnd('missing'.length)}  ${subject.padEnd(width)}  ${text}`,
    ...(remedy === undefined ? [] : [`${' '.repeat('missing'.length + width + 4)}→ ${remedy}`]),
  ]);
  const verdict = canRun ? 'Containers can run here.' : 'Containers cannot run here yet.';
  return `${lines.join('\n')}\n${verdict}\n`;
}
