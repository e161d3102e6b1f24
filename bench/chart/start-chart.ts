import type { BarSeriesOption, EChartsOption, ScatterSeriesOption } from 'echarts';
import { OURS, type RowResult } from '../table.ts';
import { shortenPeer } from './density-chart.ts';
import { describeTitle, renderChart } from './render.ts';
import { THEME } from './theme.ts';

/** Rows that say how long people wait, in the order of the chart; those with other things to tell stay in the table. */
const CHARTED = ['run', 'exec', 'library', 'library-exec', 'clone'];
const LINE_HEIGHT = 26;
const FRAME_HEIGHT = 130;
const WIDTH = 900;
const NAMES_WIDTH = 190;

/** One line of the chart: a heading without a bar, or a contestant. */
interface Line {
  readonly text: string;
  readonly kind: 'heading' | 'ours' | 'peer';
  readonly median?: number;
  readonly budget?: number;
}

/** Medians of the rows that measure how long something takes, ours beside the peers'. */
export function drawStarts(rows: readonly RowResult[], subtitle: string): string {
  const lines = listLines(rows);
  const height = FRAME_HEIGHT + lines.length * LINE_HEIGHT;
  return renderChart(buildStartsOption(lines, subtitle), { width: WIDTH, height });
}

export function listLines(rows: readonly RowResult[]): Line[] {
  return CHARTED.flatMap((name) => {
    const row = rows.find((one) => one.name === name && one.unit === 'ms');
    return row === undefined ? [] : listRow(row);
  });
}

function listRow({ title, measured, budget }: RowResult): Line[] {
  const contestants = measured.flatMap((one): Line[] => {
    if ('failure' in one) return [];
    const { median } = one.summary;
    const isOurs = one.name === OURS;
    const text = isOurs ? 'Wardian' : shortenPeer(one.name.replace(/: \w+$/, ''));
    const aim = isOurs && budget !== undefined ? { budget } : {};
    return [{ text, kind: isOurs ? 'ours' : 'peer', median, ...aim }];
  });
  const heading: Line = { text: title.replaceAll('`', ''), kind: 'heading' };
  return contestants.length === 0 ? [] : [heading, ...contestants];
}

export function buildStartsOption(lines: readonly Line[], subtitle: string): EChartsOption {
  return {
    title: describeTitle('Milliseconds from the call to its end', subtitle),
    grid: { left: NAMES_WIDTH, right: 70, top: 86, bottom: 40 },
    xAxis: {
      type: 'value',
      axisLabel: { color: THEME.faint, fontSize: 12 },
      splitLine: { lineStyle: { color: THEME.grid } },
    },
    yAxis: {
      type: 'category',
      inverse: true,
      data: lines.map(({ kind, text }) => (kind === 'heading' ? '' : text)),
      axisTick: { show: false },
      axisLine: { show: false },
      axisLabel: {
        interval: 0,
        fontSize: 13,
        color: THEME.text,
      },
    },
    series: [buildBars(lines), buildBudgets(lines)],
  };
}

function buildBars(lines: readonly Line[]): BarSeriesOption {
  return {
    type: 'bar',
    barWidth: 15,
    data: lines.map(({ kind, text, median }) => ({
      value: median ?? 0,
      itemStyle: { color: kind === 'ours' ? THEME.ours : THEME.peers, borderRadius: [0, 3, 3, 0] },
      label:
        kind === 'heading'
          ? { show: true, distance: 0, fontSize: 13, fontWeight: 'bold', formatter: () => text }
          : { show: true },
    })),
    label: {
      position: 'right',
      distance: 8,
      color: THEME.text,
      fontSize: 12.5,
      formatter: ({ value }) => formatMs(Number(value)),
    },
  };
}

function formatMs(ms: number): string {
  return ms < 10 ? ms.toFixed(1) : ms.toFixed(0);
}

/** A stroke across our bar where the budget is. */
function buildBudgets(lines: readonly Line[]): ScatterSeriesOption {
  return {
    type: 'scatter',
    symbol: 'rect',
    symbolSize: [3, 21],
    itemStyle: { color: THEME.budget },
    data: lines.flatMap(({ budget }, index) => (budget === undefined ? [] : [[budget, index]])),
  };
}
