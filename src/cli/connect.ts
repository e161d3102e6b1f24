import { SandboxerClient } from '../sandboxer/client.ts';
import type { CommandContext } from './command.ts';

/** Connects to the user's sandboxer, which is started when there is none. */
export function connect(context: CommandContext): Promise<SandboxerClient> {
  return SandboxerClient.connect(context);
}

/** The same for calls that are made again when the connection breaks: see `SandboxerClient.connectAtOnce`. */
export function connectAtOnce(context: CommandContext): Promise<SandboxerClient> {
  return SandboxerClient.connectAtOnce(context);
}

/** Connects, does something, and closes again however that went. */
export async function withSandboxer<T>(
  context: CommandContext,
  action: (client: SandboxerClient) => Promise<T>,
): Promise<T> {
  const client = await connect(context);
  try {
    return await action(client);
  } finally {
    client.close();
  }
}
