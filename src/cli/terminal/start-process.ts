import type { SandboxerClient } from '../../sandboxer/client.ts';

/** How often a start is tried again when the sandboxer dies under it. */
const MAX_RETRIES = 2;

export interface StartOptions<T> {
  readonly client: SandboxerClient;
  connect(): Promise<SandboxerClient>;
  /** Makes the call. */
  start(client: SandboxerClient): Promise<T>;
  /** What came of a call that was not answered: its result, or undefined when it must be made again. */
  find(client: SandboxerClient): Promise<T | undefined>;
}

/** Starts a process, once, even when the sandboxer dies before it answers. */
export async function startProcess<T>(options: StartOptions<T>): Promise<T> {
  const { client } = options;
  try {
    return await options.start(client);
  } catch (error) {
    if (client.isOpen) throw error;
    return startAgain(options, error);
  }
}

async function startAgain<T>(options: StartOptions<T>, lost: unknown): Promise<T> {
  let lastLoss = lost;
  for (let retry = 0; retry < MAX_RETRIES; retry++) {
    const client = await options.connect();
    try {
      return (await options.find(client)) ?? (await options.start(client));
    } catch (error) {
      if (client.isOpen) throw error;
      lastLoss = error;
    } finally {
      client.close();
    }
  }
  throw lastLoss;
}
