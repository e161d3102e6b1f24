import type { Stub } from '../../host/stub-process.ts';
import type { SignalSource } from '../runtime-context.ts';

/** All that a process can catch and that others send; those about our own children and pipes are not the process's. */
const PASSED_ON: readonly NodeJS.Signals[] = [
  ...(['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGALRM', 'SIGTERM'] as const),
  ...(['SIGCONT', 'SIGTSTP', 'SIGTTIN', 'SIGTTOU', 'SIGWINCH', 'SIGURG', 'SIGXCPU'] as const),
];

/** Waits for the end of a process that runs in front, and passes signals on to it meanwhile; returns its exit code. */
export async function waitForStub(stub: Stub, signals: SignalSource): Promise<number> {
  const passOn = (name: NodeJS.Signals): void => stub.kill(name);
  for (const name of PASSED_ON) signals.on(name, passOn);
  try {
    return await stub.exited;
  } finally {
    for (const name of PASSED_ON) signals.off(name, passOn);
  }
}
