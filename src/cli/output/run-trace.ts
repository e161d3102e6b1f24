import { writeFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { WardianError } from '../../util/errors.ts';
import { readSharedClockMs, Trace, type TraceMark } from '../../util/trace.ts';
import type { CommandContext } from '../command.ts';
import { describePhases, renderPhases } from './trace-table.ts';
import { writeText } from './write-text.ts';

/** Where a trace goes: as a table to stderr, as JSON to a file, or both. */
export interface TraceTargets {
  readonly table: boolean;
  readonly file: string | undefined;
}

/** The phases of one `wardian run`: ours, and what the sandboxer tells of its own. */
export class RunTrace {
  readonly #own = new Trace();
  readonly #startMs: number;
  #ofSandboxer: readonly TraceMark[] = [];
  #hasOutput = false;

  /** Begins with the process; all that has happened up to now was the loading of code and the reading of arguments. */
  constructor() {
    this.#startMs = readSharedClockMs() - performance.now();
    const { bootstrapComplete } = performance.nodeTiming;
    this.#own.mark('command', 'Node started', this.#startMs + bootstrapComplete);
    this.mark('command line read');
  }

  mark(phase: string): void {
    this.#own.mark('command', phase);
  }

  /** Marks the first output of the container; what follows is not new. */
  markOutput(): void {
    if (this.#hasOutput) return;
    this.#hasOutput = true;
    this.#own.mark('guest', 'first output');
  }

  /** Takes the sandboxer's part; each message has the whole of it. */
  take(marks: readonly TraceMark[]): void {
    this.#ofSandboxer = marks;
  }

  /** Ends the trace and delivers it. CONFIG_INVALID when the file cannot be written. */
  async deliver(context: CommandContext, { table, file }: TraceTargets): Promise<void> {
    const phases = describePhases(this.#startMs, [...this.#own.marks, ...this.#ofSandboxer]);
    if (table) {
      const text = renderPhases(phases, {
        columns: context.stderr.columns,
        isUtf8: isUtf8(context.environment),
      });
      await writeText(context.stderr, text).catch(() => {}); // Nobody reads stderr.
    }
    if (file !== undefined) writeTraceFile(file, { version: 1, phases });
  }
}

function writeTraceFile(file: string, content: object): void {
  try {
    writeFileSync(file, `${JSON.stringify(content, undefined, 2)}\n`);
  } catch (cause) {
    throw new WardianError('USAGE', `the trace cannot be written to ${file}`, {
      cause,
      hint: 'name a file in a folder that is there and that you may write to',
    });
  }
}

/** As the C library decides it (locale(7)). */
function isUtf8(environment: CommandContext['environment']): boolean {
  const locale = environment['LC_ALL'] || environment['LC_CTYPE'] || environment['LANG'] || '';
  return /utf-?8/i.test(locale);
}
