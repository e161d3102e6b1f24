/** Where a phase happens: in the command line, the sandboxer, the VMM, or the guest. */
export type TracePlace = 'command' | 'sandboxer' | 'VMM' | 'guest';

/** The end of a phase; it began where the one before it ended. */
export interface TraceMark {
  readonly place: TracePlace;
  readonly phase: string;
  /** See readSharedClockMs. */
  readonly atMs: number;
}

/** Milliseconds since the host was switched on (CLOCK_MONOTONIC): one clock for all its processes. */
export function readSharedClockMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}

/** Marks what has been reached, and when. Where nobody asked for a trace there is none, and marking costs a comparison. */
export class Trace {
  readonly #marks: TraceMark[] = [];

  get marks(): readonly TraceMark[] {
    return this.#marks;
  }

  mark(place: TracePlace, phase: string, atMs = readSharedClockMs()): void {
    this.#marks.push({ place, phase, atMs });
  }
}

/** Marks a phase of the VMM when something has come true; one that fails is told elsewhere. */
export function markWhen(event: Promise<unknown>, trace: Trace, phase: string): void {
  event.then(
    () => trace.mark('VMM', phase),
    () => {}, // whoever asked for it hears of that
  );
}
