import type { EChartsOption, TitleComponentOption } from 'echarts';
import { BarChart, LineChart, ScatterChart } from 'echarts/charts';
import { GridComponent, MarkLineComponent, TitleComponent } from 'echarts/components';
import { init, use } from 'echarts/core';
import { LabelLayout } from 'echarts/features';
import { SVGRenderer } from 'echarts/renderers';
import { DARK_PAIRS, THEME } from './theme.ts';

use([
  BarChart,
  LineChart,
  ScatterChart,
  GridComponent,
  MarkLineComponent,
  TitleComponent,
  LabelLayout,
  SVGRenderer,
]);

export interface ChartSize {
  readonly width: number;
  readonly height: number;
}

/** A chart as SVG: the same text for the same figures, with colours for light and for dark surroundings. */
export function renderChart(option: EChartsOption, { width, height }: ChartSize): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height });
  try {
    chart.setOption({
      animation: false,
      backgroundColor: THEME.paper,
      textStyle: { fontFamily: THEME.font, color: THEME.text },
      ...option,
    });
    return beautify(chart.renderToSVGString());
  } finally {
    chart.dispose();
  }
}

export function describeTitle(text: string, subtext: string): TitleComponentOption {
  return {
    text,
    subtext,
    left: 24,
    top: 18,
    borderColor: 'transparent',
    textStyle: { color: THEME.text, fontSize: 18, fontWeight: 600 },
    subtextStyle: { color: THEME.faint, fontSize: 12, lineHeight: 18 },
  };
}

/** What serves a mouse only. Names of classes and clips count the charts of this process: no two would be the same. */
const FOR_A_MOUSE =
  / (?:class="zr[^"]*"|ecmeta_\w+="[^"]*"|pointer-events="\w+")|<style ?>[\s\S]*?<\/style>\s*/g;

/** Leaves out what a picture does not need, and exchanges the colours where the reader has chosen dark ones. */
function beautify(svg: string): string {
  const rules = DARK_PAIRS.flatMap(([light, dark]) => [
    `[fill="${light}"]{fill:${dark}}`,
    `[stroke="${light}"]{stroke:${dark}}`,
  ]);
  const style = `<style>@media (prefers-color-scheme:dark){${rules.join('')}}</style>`;
  const still = svg.replaceAll(FOR_A_MOUSE, '').replaceAll(/\bzr\d+-(?=c\d)/g, 'clip-');
  return `${still.replace('>\n', `>\n${style}\n`).trim()}\n`;
}
