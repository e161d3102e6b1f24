import { layOutTable } from '../text-table.ts';
import type { DensityResult, Series } from './measure-density.ts';
import { computeGrowth, computePerContainer, type Step } from './step.ts';

const MEBIBYTE = 2 ** 20;
const KIBIBYTE = 1024;

/** The report for people: memory, the sandboxer's growth, idle load, peers, starts per second. */
export function formatDensity(result: DensityResult): string {
  const sections = [
    formatMemory(result.series),
    formatSandboxer(result.series),
    formatIdle(result.series),
    formatPeers(result),
    formatStartRates(result),
  ];
  return sections.filter((section) => section !== '').join('\n\n');
}

const MEMORY_HEADINGS = [
  'private memory, MiB',
  'each',
  'machine',
  'sandboxer',
  'template',
  'merged',
  'others',
  'all by PSS',
  'page tables',
];

function formatMemory(series: readonly Series[]): string {
  const rows = series.flatMap((one) => [
    [`${describeSeries(one)}, per container`],
    ...one.steps.map((step) => [`  at ${step.count}`, ...describeMemory(step)]),
  ]);
  return layOutTable([MEMORY_HEADINGS, ...rows]);
}

function describeMemory(step: Step): string[] {
  const each = (bytes: number): string => (bytes / MEBIBYTE / step.count).toFixed(1);
  return [
    (computePerContainer(step) / MEBIBYTE).toFixed(1),
    each(step.machineBytes),
    each(step.sandboxerBytes),
    each(step.templateBytes),
    each(step.mergedBytes),
    each(step.otherBytes),
    each(step.proportionalBytes),
    each(step.pageTableBytes),
  ];
}

function describeSeries({ workload, merging }: Series): string {
  return `${workload}, page merging ${merging ? 'on' : 'off'}`;
}

function formatSandboxer(series: readonly Series[]): string {
  const rows = series.flatMap((one) => {
    const growth = computeGrowth(one.steps);
    return [
      [describeSeries(one)],
      ...one.steps.map((step) => [
        `  at ${step.count}`,
        (step.sandboxerBytes / MEBIBYTE).toFixed(1),
        String(step.sandboxerThreads),
        String(step.sandboxerDescriptors),
        step.machineThreads.toFixed(1),
      ]),
      ...(growth === undefined
        ? []
        : [
            [
              '  one more adds',
              `${(growth.bytes / KIBIBYTE).toFixed(0)} KiB`,
              growth.threads.toFixed(2),
              growth.descriptors.toFixed(2),
              '',
            ],
          ]),
    ];
  });
  const headings = ['the sandboxer', 'MiB', 'threads', 'open files', 'threads a machine'];
  return layOutTable([headings, ...rows]);
}

function formatIdle(series: readonly Series[]): string {
  const rows = series.flatMap((one) =>
    one.steps.flatMap(({ count, idle }) =>
      idle === undefined
        ? []
        : [
            [
              `  ${count} × ${describeSeries(one)}`,
              idle.machinesPercent.toFixed(1),
              (idle.machinesPercent / count).toFixed(2),
              idle.sandboxerPercent.toFixed(2),
              idle.mergingPercent?.toFixed(1) ?? '',
            ],
          ],
    ),
  );
  if (rows.length === 0) return '';
  const headings = ['idle, percent of one core', 'machines', 'each', 'sandboxer', 'ksmd'];
  return layOutTable([headings, ...rows]);
}

function formatPeers({ peers }: DensityResult): string {
  const rows = peers.flatMap(({ name, points, failure }) => [
    ...points.map(({ count, perContainerBytes }) => [
      `  ${name}`,
      String(count),
      (perContainerBytes / MEBIBYTE).toFixed(1),
    ]),
    ...(failure === undefined ? [] : [[`  ${name}: failed: ${failure}`]]),
  ]);
  if (rows.length === 0) return '';
  return layOutTable([['other engines, private memory, MiB', 'containers', 'each'], ...rows]);
}

function formatStartRates({ startRates }: DensityResult): string {
  if (startRates.length === 0) return '';
  const rows = startRates.map(({ way, inFlight, perSecond }) => [
    way === 'library'
      ? '  clones, through the library'
      : '  forks where there are any, through the sandboxer',
    String(inFlight),
    perSecond.toFixed(1),
  ]);
  return layOutTable([['create, `true`, exit code, gone', 'in flight', 'a second'], ...rows]);
}
