import { toWardianError, type WardianError } from './errors.ts';

type Undo = () => void | Promise<void>;

/**
 * A stack of undo steps: register one on the line after each acquisition.
 * When a later step fails, `fail(error)` unwinds and reports failed undo steps beside the error.
 * When all went well the same stack is the owner's `stop()`.
 */
export class Cleanup {
  #steps: { name: string; undo: Undo }[] = [];

  defer(name: string, undo: Undo): void {
    this.#steps.push({ name, undo });
  }

  /** Runs every step, last first, even when some fail; returns one sentence for each that failed. */
  async run(): Promise<string[]> {
    const failures: string[] = [];
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step.undo();
      } catch (error) {
        failures.push(`${step.name}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    return failures;
  }

  /** Unwinds, and returns `thrown` with the failed undo steps attached, ready to be thrown again. */
  async fail(thrown: unknown): Promise<WardianError> {
    const error = toWardianError(thrown);
    error.cleanupErrors.push(...(await this.run()));
    return error;
  }
}
