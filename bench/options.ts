import { parseArgs } from 'node:util';

export interface Options {
  /** Names of rows, in no order; empty means all. */
  readonly names: readonly string[];
  readonly runs: number;
  readonly jsonPath: string | undefined;
  readonly installPeers: boolean;
  readonly help: boolean;
}

const DEFAULT_RUNS = 15;
const MOST_RUNS = 1_000;

/** Throws with one sentence when the command line is not understood. */
export function parseOptions(argv: readonly string[], knownNames: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      runs: { type: 'string' },
      json: { type: 'string' },
      'install-peers': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const unknown = positionals.filter((name) => !knownNames.includes(name));
  if (unknown.length > 0) {
    throw new Error(`no row is named ${unknown.join(', ')}; there are: ${knownNames.join(', ')}`);
  }
  return {
    names: positionals,
    runs: parseRuns(values.runs),
    jsonPath: values.json,
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

export function formatHelp(names: readonly string[]): string {
  return `Measures Wardian, and other engines in the same run.

  npm run bench                         all rows
  npm run bench -- NAME…                these rows: ${names.join(', ')}
  npm run bench -- --runs N             so many runs each instead of ${DEFAULT_RUNS}
  npm run bench -- --json FILE          everything that was measured, as JSON
  npm run bench -- --install-peers      install the other engines from Debian first (as root)
`;
}
