import { constants } from 'node:os';
import type { SignalSource } from '../command.ts';

/** What is passed on to the process, as podman does: all but those that nobody can catch or that are about us. */
const PROXIED_SIGNALS: readonly NodeJS.Signals[] = [
  ...(['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGALRM', 'SIGTERM'] as const),
  ...(['SIGCONT', 'SIGTSTP', 'SIGTTIN', 'SIGTTOU', 'SIGWINCH'] as const),
];

/** What ends a command that does not pass signals on. */
const ENDING_SIGNALS: readonly NodeJS.Signals[] = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM'];

/**
 * Passes signals on. When that fails because the process is gone, signals mean again what they always do, so that
 * a second Ctrl-C ends us. Returns how to stop.
 */
export function proxySignals(
  source: SignalSource,
  send: (signal: number) => Promise<unknown>,
): () => void {
  const listener = (name: NodeJS.Signals): void => {
    send(constants.signals[name]).catch(() => stop()); // Said by whoever waits for the process.
  };
  const stop = (): void => {
    for (const name of PROXIED_SIGNALS) source.off(name, listener);
  };
  for (const name of PROXIED_SIGNALS) source.on(name, listener);
  return stop;
}

/** Resolves with the exit code that belongs to the first ending signal: 128 and its number. */
export function catchEndingSignals(source: SignalSource): {
  caught: Promise<number>;
  stop: () => void;
} {
  let listener: (name: NodeJS.Signals) => void = () => {};
  const caught = new Promise<number>((resolve) => {
    listener = (name) => resolve(128 + constants.signals[name]);
  });
  for (const name of ENDING_SIGNALS) source.on(name, listener);
  const stop = (): void => {
    for (const name of ENDING_SIGNALS) source.off(name, listener);
  };
  return { caught, stop };
}
