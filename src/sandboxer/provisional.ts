import { setTimeout as delay } from 'node:timers/promises';
import { PROVISIONAL_VARIABLE } from './api.ts';
import type { Sandboxer } from './sandboxer.ts';

const KEY = /^[0-9a-f]{64}$/;
/** Between two looks at a container that has not been made yet, or never will be. */
const LOOK_MS = 250;
/** What comes before a container is made (hooks of the host, its network) takes no longer: its command line has died. */
const MAX_WAIT_MS = 30_000;
/** An answer that was sent must have left before the connections are closed. */
const LAST_ANSWER_MS = 50;

/** The container's key; undefined for a sandboxer that is there to stay. */
export function findProvisionalKey(
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const key = environment[PROVISIONAL_VARIABLE];
  return key !== undefined && KEY.test(key) ? key : undefined;
}

/** Fulfilled when the container has ended and its stub knows how, or when nobody asks for that container any more. */
export async function waitUntilUnneeded(
  { engine, registry }: Pick<Sandboxer, 'engine' | 'registry'>,
  key: string,
  wereConnectionsUsed: () => boolean,
): Promise<void> {
  for (const giveUpAtMs = performance.now() + MAX_WAIT_MS; ; ) {
    const container = engine.get(key)?.container;
    if (container !== undefined) {
      await container.finished;
      await delay(LAST_ANSWER_MS);
      return;
    }
    await delay(LOOK_MS);
    if (registry.getStarting(key) !== undefined || engine.get(key)?.container !== undefined)
      continue;
    // Stubs of other containers may be connected, whose command lines do not wait for us.
    if (!wereConnectionsUsed() || performance.now() > giveUpAtMs) return;
  }
}
