import { writeSync } from 'node:fs';
import { findDirectories } from '../host/directories.ts';
import { serializeError } from '../util/errors.ts';
import { serveSandboxer } from './serve-sandboxer.ts';
import { READY_VARIABLE, type ReadyLine } from './start-sandboxer.ts';

/** Entry point of the sandboxer: started by the first client that needs it, leaves when it has nothing to do. */
async function main(): Promise<void> {
  const readyDescriptor = Number(process.env[READY_VARIABLE] ?? Number.NaN);
  const sayReady = (line: ReadyLine): void => {
    if (Number.isInteger(readyDescriptor)) writeSync(readyDescriptor, `${JSON.stringify(line)}\n`);
  };
  try {
    const directories = findDirectories(process.env, process.getuid?.() ?? 0);
    const served = await serveSandboxer({
      directories,
      environment: process.env,
      launcherPath: `${__dirname}/launcher`,
      log: (line) => process.stderr.write(`${new Date().toISOString()} ${line}\n`),
    });
    if (served === undefined) return; // another one was quicker
    process.once('SIGTERM', () => served.leave());
    sayReady({ ready: true });
    await served.left;
  } catch (error) {
    sayReady({ error: serializeError(error) });
    process.exitCode = 1;
  }
  process.exit();
}

// The client that started us may be interrupted with Ctrl-C; that is none of our business.
for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});
void main();
