import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { WardianError } from '../util/errors.ts';
import { AgentClient, type AgentClientOptions } from './agent-client.ts';
import { agentTimeout } from './failures.ts';

/** An idle agent offers at once; a busy one first has to notice that its last host is gone. */
const FIRST_PATIENCE_MS = 100;
const LONGEST_PATIENCE_MS = 2_000;
/** After this long the agent is taken to be dead or hung. */
const CONNECT_TIMEOUT_MS = 15_000;

export interface ConnectOptions extends Pick<AgentClientOptions, 'onSessionRestarted'> {
  signal?: AbortSignal;
  timeoutMs?: number;
}

/**
 * Begins a session with an agent that another host left in an unknown state: connects, and hangs up again
 * until an offer comes (docs/protocol.md, "Session", rule 4). Fails with AGENT_TIMEOUT when none does.
 */
export async function connectToUnknownAgent(
  openChannel: () => Promise<Duplex>,
  options: ConnectOptions = {},
): Promise<AgentClient> {
  const timeoutMs = options.timeoutMs ?? CONNECT_TIMEOUT_MS;
  const deadline = performance.now() + timeoutMs;
  for (
    let patienceMs = FIRST_PATIENCE_MS;
    ;
    patienceMs = Math.min(patienceMs * 2, LONGEST_PATIENCE_MS)
  ) {
    const remainingMs = Math.ceil(deadline - performance.now());
    if (remainingMs <= 0) throw agentTimeout('offer a session', timeoutMs);
    const waitMs = Math.min(patienceMs, remainingMs);
    const client = await tryOnce(openChannel, waitMs, options);
    if (client !== undefined) return client;
    await pause(waitMs, options.signal);
  }
}

/** One connection; undefined when the agent kept silent, and the channel is closed then. */
async function tryOnce(
  openChannel: () => Promise<Duplex>,
  offerTimeoutMs: number,
  { signal, onSessionRestarted }: ConnectOptions,
): Promise<AgentClient | undefined> {
  if (signal?.aborted) throw cancelled();
  const client = AgentClient.start(await openChannel(), {
    offerTimeoutMs,
    ...(onSessionRestarted === undefined ? {} : { onSessionRestarted }),
  });
  const hangUp = (): void => client.close();
  signal?.addEventListener('abort', hangUp, { once: true });
  const outcome = await Promise.race([client.begun.then(() => client), client.ended]);
  signal?.removeEventListener('abort', hangUp);
  if (outcome === client) return client;
  if (signal?.aborted) throw cancelled();
  if (outcome instanceof WardianError && outcome.code !== 'AGENT_TIMEOUT') throw outcome;
  return undefined;
}

async function pause(durationMs: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(durationMs, undefined, signal === undefined ? {} : { signal });
  } catch {
    throw cancelled(); // the only way in which waiting fails
  }
}

function cancelled(): WardianError {
  return new WardianError('CANCELLED', 'connecting to the guest agent was cancelled');
}
