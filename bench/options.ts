import { parseArgs } from 'node:util';

export interface Options {
  /** Names of rows and reports, in no order; empty means all rows. */
  readonly names: readonly string[];
  readonly runs: number;
  /** Numbers of containers for the density report, growing. */
  readonly counts: readonly number[];
  readonly jsonPath: string | undefined;
  readonly chartPath: string | undefined;
  /** What `jsonPath` took in an earlier run: drawn again, nothing is measured. */
  readonly fromPath: string | undefined;
  readonly installPeers: boolean;
  readonly help: boolean;
}

const DEFAULT_RUNS = 15;
const MOST_RUNS = 1_000;
const DEFAULT_COUNTS = [1, 10, 50, 200];
const MOST_CONTAINERS = 2_000;

/** Throws with one sentence when the command line is not understood. */
export function parseOptions(argv: readonly string[], knownNames: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      runs: { type: 'string' },
      counts: { type: 'string' },
      json: { type: 'string' },
      chart: { type: 'string' },
      from: { type: 'string' },
      'install-peers': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const unknown = positionals.filter((name) => !knownNames.includes(name));
  if (unknown.length > 0) {
    throw new Error(`no row is named ${unknown.join(', ')}; there are: ${knownNames.join(', ')}`);
  }
  if (values.from !== undefined && values.chart === undefined) {
    throw new Error('--from draws what was measured before: it needs --chart FILE');
  }
  return {
    names: positionals,
    runs: parseRuns(values.runs),
    counts: parseCounts(values.counts),
    jsonPath: values.json,
    chartPath: values.chart,
    fromPath: values.from,
    installPeers: values['install-peers'],
    help: values.help,
  };
}

function parseRuns(text: string | undefined): number {
  if (text === undefined) return DEFAULT_RUNS;
  const runs = Number(text);
  if (Number.isInteger(runs) && runs >= 1 && runs <= MOST_RUNS) return runs;
  throw new Error(`--runs takes a number from 1 to ${MOST_RUNS}, not ${JSON.stringify(text)}`);
}

function parseCounts(text: string | undefined): number[] {
  if (text === undefined) return DEFAULT_COUNTS;
  const counts = text.split(',').map(Number);
  const isGood = counts.every(
    (count, index) =>
      Number.isInteger(count) && count > (counts[index - 1] ?? 0) && count <= MOST_CONTAINERS,
  );
  if (isGood) return counts;
  throw new Error(
    `--counts takes growing numbers from 1 to ${MOST_CONTAINERS} with commas, not ${JSON.stringify(text)}`,
  );
}

export interface HelpNames {
  readonly rows: readonly string[];
  readonly reports: readonly string[];
}

export function formatHelp({ rows, reports }: HelpNames): string {
  return `Measures Wardian, and other engines in the same run.

  npm run bench                         all rows
  npm run bench -- NAME…                these rows: ${rows.join(', ')};
                                        or reports: ${reports.join(', ')}
  npm run bench -- --runs N             so many runs each instead of ${DEFAULT_RUNS}
  npm run bench -- density --counts 1,10
                                        these numbers of containers instead of ${DEFAULT_COUNTS.join(',')}
  npm run bench -- --json FILE          everything that was measured, as JSON
  npm run bench -- --chart FILE         a chart of it, as SVG
  npm run bench -- --from JSON --chart FILE
                                        a chart of what --json wrote, without measuring
  npm run bench -- --install-peers      install the other engines from Debian first (as root)
`;
}
