import { identifyProcess } from '../../host/process-identity.ts';
import type { StubProcess } from '../../sandbox/sandbox-state.ts';

/** A process closes its connections a moment before it is gone: so the first looks follow each other quickly. */
const FIRST_LOOK_MS = 5;
const LONGEST_PAUSE_MS = 2_000;

/** True while that very process runs. */
export function isStubAlive({ pid, startTicks }: StubProcess): boolean {
  return identifyProcess(pid)?.startTime === startTicks;
}

/** Looks after a stub while it is not connected to us: when it has gone, so has whoever wanted its process. */
export class StubWatch {
  readonly #stub: StubProcess;
  readonly #onGone: () => void;
  #timer: NodeJS.Timeout | undefined;

  /** `onGone` is called once at most for each `begin`. */
  constructor(stub: StubProcess, onGone: () => void) {
    this.#stub = stub;
    this.#onGone = onGone;
  }

  begin(): void {
    this.stop();
    this.#lookIn(FIRST_LOOK_MS);
  }

  /** It is connected, or its process is over. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  #lookIn(pauseMs: number): void {
    this.#timer = setTimeout(() => {
      if (!isStubAlive(this.#stub)) this.#onGone();
      else this.#lookIn(Math.min(pauseMs * 2, LONGEST_PAUSE_MS));
    }, pauseMs).unref();
  }
}
