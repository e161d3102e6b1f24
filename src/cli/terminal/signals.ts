import { parseSignal } from '../../oci/signals.ts';
import type { SignalSource } from '../command.ts';

/** What is passed on to the process, as podman does: all but those that nobody can catch or that are about us. */
const PROXIED_SIGNALS: readonly NodeJS.Signals[] = [
  ...(['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGALRM', 'SIGTERM'] as const),
  ...(['SIGCONT', 'SIGTSTP', 'SIGTTIN', 'SIGTTOU', 'SIGWINCH'] as const),
];

/** What ends a command that does not pass signals on. */
const ENDING_SIGNALS: readonly NodeJS.Signals[] = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM'];

export interface SignalWatch {
  /** Fulfilled with the exit code that belongs to a signal that ends the command line: 128 and its number. */
  readonly caught: Promise<number>;
  stop(): void;
}

/**
 * Passes signals on once the process is there; until then those that usually end a command end this one. When
 * passing on fails because the process is gone, signals mean again what they always do, so that a second Ctrl-C
 * ends us.
 */
export function proxySignals(
  source: SignalSource,
  started: Promise<unknown>,
  send: (signal: number) => Promise<unknown>,
): SignalWatch {
  let isStarted = false;
  const running = started.then(() => {
    isStarted = true;
  });
  running.catch(() => {}); // Whoever waits for the start says why it failed.
  return watchSignals(source, PROXIED_SIGNALS, (name, watch) => {
    if (!isStarted && ENDING_SIGNALS.includes(name)) return true;
    running.then(() => send(parseSignal(name))).catch(() => watch.stop());
    return false;
  });
}

/** Notices the signals that end a command, so that it can tidy up first. */
export function catchEndingSignals(source: SignalSource): SignalWatch {
  return watchSignals(source, ENDING_SIGNALS, () => true);
}

/** Listens to signals; `isEnd` says of each whether it ends the command line. */
function watchSignals(
  source: SignalSource,
  names: readonly NodeJS.Signals[],
  isEnd: (name: NodeJS.Signals, watch: SignalWatch) => boolean,
): SignalWatch {
  let resolveCaught: (exitCode: number) => void = () => {};
  const caught = new Promise<number>((resolve) => {
    resolveCaught = resolve;
  });
  const listener = (name: NodeJS.Signals): void => {
    if (isEnd(name, watch)) resolveCaught(128 + parseSignal(name));
  };
  const watch: SignalWatch = {
    caught,
    stop: () => {
      for (const name of names) source.off(name, listener);
    },
  };
  for (const name of names) source.on(name, listener);
  return watch;
}
