import { writeSync } from 'node:fs';
import { runCommandLine } from './command-line.ts';

/** Entry point of `wardian-runtime`, which engines start in place of runc or crun. */
async function main(): Promise<void> {
  const exitCode = await runCommandLine(process.argv.slice(2), {
    environment: process.env,
    workingDirectory: process.cwd(),
    mainPath: process.argv[1] ?? '',
    userId: process.getuid?.() ?? -1,
    parentPid: process.ppid,
    signals: process,
    print: (text) => printWhole(text),
  });
  process.exit(exitCode); // Not a natural end: a connection, or a terminal on stdin, would keep the process.
}

/** Opening process.stdout would cost 2 ms; a pipe that others made non-blocking may be full. */
function printWhole(text: string): void {
  let rest = Buffer.from(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

void main();
