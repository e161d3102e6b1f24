import { constants } from 'node:os';
import type { Stub } from '../../host/stub-process.ts';
import type { SignalSource } from '../runtime-context.ts';

/** All that a process can catch and that others send; those about our own children and pipes are not the process's. */
const PASSED_ON: readonly NodeJS.Signals[] = [
  ...(['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGALRM', 'SIGTERM'] as const),
  ...(['SIGCONT', 'SIGTSTP', 'SIGTTIN', 'SIGTTOU', 'SIGWINCH', 'SIGURG', 'SIGXCPU'] as const),
];

/** What ends a command that has no process yet. */
const ENDING: readonly NodeJS.Signals[] = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM'];

/**
 * Signals that come to a command which runs a process in front: they are for the process, and, while there is none yet,
 * for the command, which then undoes what it has done. A second one ends it at once.
 */
export class SignalRelay {
  readonly #source: SignalSource;
  #stub: Stub | undefined;
  #ending: NodeJS.Signals | undefined;

  constructor(source: SignalSource) {
    this.#source = source;
    for (const name of PASSED_ON) source.on(name, this.#take);
  }

  /** The exit code that belongs to a signal which came before there was a process. */
  get exitCode(): number | undefined {
    return this.#ending === undefined ? undefined : 128 + constants.signals[this.#ending];
  }

  /** From here on signals are the process's, one that came before too. */
  passOnTo(stub: Stub): void {
    this.#stub = stub;
    if (this.#ending === undefined) return;
    stub.kill(this.#ending);
    for (const name of PASSED_ON) this.#source.on(name, this.#take);
  }

  stop(): void {
    for (const name of PASSED_ON) this.#source.off(name, this.#take);
  }

  readonly #take = (name: NodeJS.Signals): void => {
    if (this.#stub !== undefined) {
      this.#stub.kill(name);
    } else if (ENDING.includes(name)) {
      this.#ending = name;
      this.stop();
    }
  };
}
