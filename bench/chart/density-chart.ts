import type { EChartsOption, LineSeriesOption } from 'echarts';
import type { DensityResult, Series } from '../density/measure-density.ts';
import type { PeerDensity } from '../density/peers.ts';
import { computePerContainer } from '../density/step.ts';
import { describeTitle, renderChart } from './render.ts';
import { THEME } from './theme.ts';

const MEBIBYTE = 2 ** 20;
const SIZE = { width: 900, height: 520 };
/** Room on the right for the names of the lines. */
const NAMES_WIDTH = 245;
/** The most that everything on the host may take for each of 50 idle containers. */
const BUDGET_MEBIBYTES = 18;

/** Memory per idle container against their number: ours with page merging off and on, and other engines. */
export function drawDensity(density: DensityResult, subtitle: string): string {
  return renderChart(buildDensityOption(density, subtitle), SIZE);
}

export function buildDensityOption(density: DensityResult, subtitle: string): EChartsOption {
  const counts = listCounts(density);
  return {
    title: describeTitle('Private memory on the host for each idle container', subtitle),
    grid: { left: 72, right: NAMES_WIDTH, top: 118, bottom: 62 },
    xAxis: {
      type: 'category',
      data: counts.map(String),
      name: 'containers at once',
      nameLocation: 'middle',
      nameGap: 34,
      nameTextStyle: { color: THEME.faint, fontSize: 13 },
      axisLabel: { color: THEME.text, fontSize: 13 },
      axisLine: { lineStyle: { color: THEME.faint } },
      axisTick: { show: false },
      boundaryGap: true,
    },
    yAxis: {
      type: 'log',
      min: 0.2,
      max: 400,
      name: 'MiB each, logarithmic',
      nameLocation: 'end',
      nameGap: 14,
      nameTextStyle: { color: THEME.faint, fontSize: 12, align: 'left', padding: [0, 0, 0, -44] },
      axisLabel: { color: THEME.text, fontSize: 13 },
      splitLine: { lineStyle: { color: THEME.grid } },
    },
    series: [
      ...density.series.map((one, index) => describeOurs(one, { counts, withBudget: index === 0 })),
      ...density.peers
        .filter(({ points }) => points.length > 0)
        .map((one) => describePeer(one, counts)),
    ],
  };
}

function listCounts({ series, peers }: DensityResult): number[] {
  const all = [
    ...series.flatMap(({ steps }) => steps.map(({ count }) => count)),
    ...peers.flatMap(({ points }) => points.map(({ count }) => count)),
  ];
  return [...new Set(all)].sort((a, b) => a - b);
}

interface OursOptions {
  readonly counts: readonly number[];
  readonly withBudget: boolean;
}

function describeOurs({ workload, merging, steps }: Series, { counts, withBudget }: OursOptions) {
  const isFirst = workload === 'busybox';
  const color = isFirst
    ? merging
      ? THEME.oursLight
      : THEME.ours
    : merging
      ? THEME.secondLight
      : THEME.second;
  const points = steps.map((step) => ({ count: step.count, bytes: computePerContainer(step) }));
  const name = `Wardian, ${workload}${merging ? ', merging on' : ''}`;
  return {
    ...describeLine(name, points, {
      counts,
      labelColor: isFirst ? THEME.ours : THEME.second,
    }),
    symbol: isFirst ? 'circle' : 'diamond',
    symbolSize: isFirst ? 8 : 10,
    lineStyle: { color, width: 2.5, type: merging ? 'dashed' : 'solid' },
    itemStyle: { color },
    ...(withBudget && { markLine: describeBudget() }),
  } satisfies LineSeriesOption;
}

/** Named before its first point: behind the last one our own lines go on. */
function describePeer({ name, points }: PeerDensity, counts: readonly number[]): LineSeriesOption {
  const own = points.map(({ count, perContainerBytes }) => ({ count, bytes: perContainerBytes }));
  const line = describeLine(shortenPeer(name), own, { counts, labelColor: THEME.faint });
  const { formatter, color, fontSize, distance } = line.endLabel;
  const label = { show: true, position: 'left' as const, formatter, color, fontSize, distance };
  return {
    ...line,
    data: line.data.map((value, index) => (index === 0 ? { value, label } : value)),
    endLabel: { show: false },
    symbol: 'circle',
    symbolSize: 7,
    lineStyle: { color: THEME.peers, width: 1.5 },
    itemStyle: { color: THEME.paper, borderColor: THEME.peers, borderWidth: 2 },
  };
}

/** Without versions: the first line of the report has the machine, and the legend is narrow. */
export function shortenPeer(name: string): string {
  return name
    .replace(/ \d[\d.]*/, '')
    .replace(' (ctr)', '')
    .replace(/\(runsc, (\w+)\).*/, '($1)');
}

interface Point {
  readonly count: number;
  readonly bytes: number;
}

interface LineOptions {
  readonly counts: readonly number[];
  readonly labelColor: string;
}

function describeLine(name: string, points: readonly Point[], { counts, labelColor }: LineOptions) {
  const last = points.at(-1);
  const label = last === undefined ? name : `${name}: ${formatMebibytes(last.bytes)}`;
  return {
    type: 'line' as const,
    name,
    data: points.map(({ count, bytes }) => [counts.indexOf(count), bytes / MEBIBYTE]),
    endLabel: {
      show: true,
      formatter: () => label,
      color: labelColor,
      fontSize: 12.5,
      distance: 10,
    },
    labelLayout: { moveOverlap: 'shiftY' as const },
  };
}

function formatMebibytes(bytes: number): string {
  const mebibytes = bytes / MEBIBYTE;
  return mebibytes < 10 ? mebibytes.toFixed(1) : mebibytes.toFixed(0);
}

function describeBudget(): NonNullable<LineSeriesOption['markLine']> {
  return {
    silent: true,
    symbol: 'none',
    data: [{ yAxis: BUDGET_MEBIBYTES }],
    lineStyle: { color: THEME.budget, type: 'dotted', width: 1.5 },
    label: {
      formatter: `our budget at 50: ${BUDGET_MEBIBYTES}`,
      position: 'insideStartTop',
      color: THEME.budget,
      fontSize: 12,
    },
  };
}
