import { spawn } from 'node:child_process';
import { constants } from 'node:os';

/** Where signals that are meant for the program arrive; `process` is one. */
interface SignalSource {
  on(name: NodeJS.Signals, listener: (name: NodeJS.Signals) => void): unknown;
  off(name: NodeJS.Signals, listener: (name: NodeJS.Signals) => void): unknown;
}

const PASSED_ON: readonly NodeJS.Signals[] = ['SIGHUP', 'SIGINT', 'SIGTERM'];

/**
 * Runs a program that has our standard streams until it ends; returns its exit code, 128 + n after signal n. With
 * `captures` its standard output is returned instead of shown. Signals that would end us end it, and then us.
 */
export async function runProgram(
  argv: readonly string[],
  { signals, captures = false }: { signals: SignalSource; captures?: boolean },
): Promise<{ exitCode: number; output: string }> {
  const [program, ...rest] = argv as [string, ...string[]];
  const child = spawn(program, rest, {
    stdio: ['inherit', captures ? 'pipe' : 'inherit', 'inherit'],
  });
  const chunks: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
  const passOn = (name: NodeJS.Signals) => child.kill(name);
  for (const name of PASSED_ON) signals.on(name, passOn);
  try {
    const exitCode = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) =>
        resolve(signal === null ? (code ?? 0) : 128 + constants.signals[signal]),
      );
    });
    return { exitCode, output: Buffer.concat(chunks).toString() };
  } finally {
    for (const name of PASSED_ON) signals.off(name, passOn);
  }
}
