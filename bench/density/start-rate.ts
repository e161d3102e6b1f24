import type { Bench } from '../rows/row.ts';
import { createRunRequest, stopSandboxer } from '../wardian.ts';
import type { DensityOptions } from './density-options.ts';
import { runTogether } from './run-together.ts';

/** How many containers a second live and die: create, `true`, exit code, gone. */
export interface StartRate {
  readonly way: 'library' | 'sandboxer';
  readonly inFlight: number;
  readonly perSecond: number;
}

const IN_FLIGHT = [1, 2, 4, 8];
const LIVES = 32;
const WARMUPS = 4;

/** Through the library in this process, and through a sandboxer's socket. */
export async function measureStartRates(
  bench: Bench,
  options: DensityOptions,
): Promise<StartRate[]> {
  const commands = bench.createCommands('rate');
  await bench.createRunner(commands).time(commands.run('--rm', 'busybox', 'true'));
  const client = await commands.connectIfRunning();
  if (client === undefined) throw new Error('the sandboxer has left');
  const { sandboxer } = bench.library;
  try {
    const throughLibrary = async (): Promise<void> => {
      const request = createRunRequest(['true']);
      await sandboxer.run(request);
      check(await sandboxer.wait(request.id));
      await sandboxer.remove(request.id, false, 0);
    };
    const throughSocket = async (): Promise<void> => {
      const request = createRunRequest(['true']);
      await client.call('run', request);
      check((await client.call('wait', { container: request.id })).exitCode);
      await client.call('remove', { container: request.id, force: false, timeoutMs: 0 });
    };
    return [
      ...(await measureWay('library', throughLibrary, options)),
      ...(await measureWay('sandboxer', throughSocket, options)),
    ];
  } finally {
    client.close();
    await stopSandboxer(commands);
  }
}

async function measureWay(
  way: StartRate['way'],
  live: () => Promise<void>,
  { signal, say }: DensityOptions,
): Promise<StartRate[]> {
  const rates: StartRate[] = [];
  for (const inFlight of IN_FLIGHT) {
    signal.throwIfAborted();
    say(`density: starts through the ${way}, ${inFlight} in flight`);
    await runTogether(WARMUPS, inFlight, live);
    const startMs = performance.now();
    await runTogether(LIVES, inFlight, live);
    const perSecond = LIVES / ((performance.now() - startMs) / 1_000);
    rates.push({ way, inFlight, perSecond });
  }
  return rates;
}

function check(exitCode: number): void {
  if (exitCode !== 0) throw new Error(`true ended with ${exitCode}`);
}
