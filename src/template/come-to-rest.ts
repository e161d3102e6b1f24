import { watch } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import path from 'node:path';
import type { AgentClient } from '../agent/agent-client.ts';
import { CONSOLE_LOG, type VirtualMachine } from '../hypervisor/driver.ts';
import { WardianError } from '../util/errors.ts';
import { describeSpareContainer } from './spare-container.ts';

/** What the agent prints when nobody is connected and it rests (docs/protocol.md). */
const WAITING_LINE = 'wardian-agent: waiting';
/** The agent notices a hang-up within milliseconds; a busy host may need longer to let it. */
const WAITING_TIMEOUT_MS = 30_000;
/**
 * Has a guest free what it can, ready a spare container, and wait for whoever knows its nonce, which is the result.
 * Hangs up: copies of the machine that are made from now on are all spoken to for the first time.
 */
export async function comeToRest(
  agent: AgentClient,
  machine: VirtualMachine,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const consolePath = path.join(machine.record.directory, CONSOLE_LOG);
  const nonce = await agent.prepareSnapshot({ spare: describeSpareContainer() }, { signal });
  // It says that it waits once we have hung up; what it said before then does not count.
  const { size } = await stat(consolePath);
  agent.close();
  await waitForLine(consolePath, size, signal);
  return nonce;
}

/** Resolves when the agent's line stands in the log beyond `offset`. */
async function waitForLine(logPath: string, offset: number, signal: AbortSignal): Promise<void> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(WAITING_TIMEOUT_MS)]);
  const changes = watchFile(logPath, deadline);
  try {
    while (!(await hasLine(logPath, offset))) await changes.next();
  } catch (error) {
    if (!deadline.aborted) throw error;
    if (signal.aborted)
      throw new WardianError('CANCELLED', 'waiting for the guest to come to rest was cancelled');
    throw new WardianError('AGENT_TIMEOUT', 'the guest agent did not come to rest', {
      cause: error,
    });
  } finally {
    changes.close();
  }
}

/** Changes of a file that are not lost between two waits. */
function watchFile(filePath: string, signal: AbortSignal) {
  let hasChanged = false;
  let wake = (): void => {};
  const note = (): void => {
    hasChanged = true;
    wake();
  };
  const watcher = watch(filePath, note);
  signal.addEventListener('abort', note);
  return {
    next: async (): Promise<void> => {
      if (!hasChanged) await new Promise<void>((resolve) => (wake = resolve));
      signal.throwIfAborted();
      hasChanged = false;
    },
    close: (): void => {
      signal.removeEventListener('abort', note);
      watcher.close();
    },
  };
}

async function hasLine(logPath: string, offset: number): Promise<boolean> {
  const handle = await open(logPath, 'r');
  try {
    const { size } = await handle.stat();
    const { buffer } = await handle.read(
      Buffer.alloc(Math.max(size - offset, 1)),
      0,
      undefined,
      offset,
    );
    return buffer.toString('latin1').includes(WAITING_LINE);
  } finally {
    await handle.close();
  }
}
