import type { TraceMark, TracePlace } from '../../util/trace.ts';

export interface Phase {
  readonly phase: string;
  readonly place: TracePlace;
  /** Since the process began. */
  readonly startMs: number;
  readonly durationMs: number;
}

/** Cells of the bars, where the terminal has room for them. */
const MOST_CELLS = 40;
const FEWEST_CELLS = 10;
/** Columns where nobody says how many there are. */
const DEFAULT_COLUMNS = 100;
/** A cell filled from the left by so many eighths. */
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/** Puts the marks of all processes in order; each phase lasts from the mark before to its own. */
export function describePhases(startMs: number, marks: readonly TraceMark[]): Phase[] {
  const sorted = [...marks].sort((one, other) => one.atMs - other.atMs);
  let previousMs = startMs;
  return sorted.map(({ phase, place, atMs }) => {
    const described = {
      phase,
      place,
      startMs: roundToMicroseconds(previousMs - startMs),
      durationMs: roundToMicroseconds(atMs - previousMs),
    };
    previousMs = atMs;
    return described;
  });
}

export interface TableOptions {
  /** Of the terminal; undefined: there is none. */
  readonly columns: number | undefined;
  readonly isUtf8: boolean;
}

/** A line for each phase, with a bar where it lies in the whole, and one for what each place took. */
export function renderPhases(phases: readonly Phase[], options: TableOptions): string {
  const totalMs = phases.reduce((sum, { durationMs }) => sum + durationMs, 0);
  const words = Math.max(...phases.map(({ phase }) => phase.length), 'phase'.length);
  const head = ['start ms', ' took ms', 'where    ', 'phase'.padEnd(words)].join('  ');
  const room = (options.columns ?? DEFAULT_COLUMNS) - head.length - 3;
  const cells = Math.min(MOST_CELLS, room);
  const lines = phases.map((phase) => {
    const text = [
      phase.startMs.toFixed(1).padStart(8),
      phase.durationMs.toFixed(1).padStart(8),
      phase.place.padEnd(9),
      phase.phase.padEnd(words),
    ].join('  ');
    const bar = cells < FEWEST_CELLS ? '' : renderBar(phase, totalMs, { ...options, cells });
    return `${text}  ${bar}`.trimEnd();
  });
  return `${[head.trimEnd(), ...lines, summarize(phases, totalMs)].join('\n')}\n`;
}

function renderBar(
  { startMs, durationMs }: Phase,
  totalMs: number,
  { cells, isUtf8 }: TableOptions & { cells: number },
): string {
  const cellMs = Math.max(totalMs, Number.MIN_VALUE) / cells;
  const first = Math.min(cells - 1, Math.floor(startMs / cellMs));
  const eighths = Math.max(1, Math.round((durationMs / cellMs) * 8));
  if (!isUtf8) return ' '.repeat(first) + '#'.repeat(Math.ceil(eighths / 8));
  const rest = EIGHTHS[eighths % 8] ?? '';
  return ' '.repeat(first) + '█'.repeat(Math.floor(eighths / 8)) + rest;
}

/** The places with their shares, the greatest first. */
function summarize(phases: readonly Phase[], totalMs: number): string {
  const sums = new Map<TracePlace, number>();
  for (const { place, durationMs } of phases) {
    sums.set(place, (sums.get(place) ?? 0) + durationMs);
  }
  const shares = [...sums]
    .sort(([, one], [, other]) => other - one)
    .map(([place, ms]) => `${place} ${ms.toFixed(1)} (${Math.round((ms / totalMs) * 100)} %)`);
  return `${totalMs.toFixed(1).padStart(18)}  in all: ${shares.join(', ')}`;
}

function roundToMicroseconds(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
