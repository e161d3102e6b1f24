import { readdirSync } from 'node:fs';
import path from 'node:path';
import { ImageStore, type RemoveResult } from '../../image/image-store.ts';
import { SandboxerClient } from '../../sandboxer/client.ts';
import { WardianError } from '../../util/errors.ts';
import type { CommandContext } from '../command.ts';
import { defineCommand } from '../define-command.ts';
import { forEachTarget } from '../for-each-target.ts';

/** Containers of an image that is removed by force get this long to stop. */
const STOP_TIMEOUT_MS = 10_000;

/** `wardian rmi`. */
export const rmi = defineCommand(
  {
    name: 'rmi',
    operands: 'IMAGE...',
    summary: 'remove images',
    completes: 'image',
    flags: {
      all: { short: 'a', help: 'all of them' },
      force: { short: 'f', help: 'remove their containers, too' },
    },
  },
  async ({ flags, operands }, context) => {
    const store = new ImageStore(context.directories.data);
    const targets = flags.all ? (await store.list()).map(({ id }) => id) : [...new Set(operands)];
    if (targets.length === 0 && !flags.all) {
      throw new WardianError('USAGE', 'rmi needs IMAGE', {
        hint: 'name one, or take them all: wardian rmi --all',
      });
    }
    const client = await connectIfContainers(context);
    try {
      const users = await findUsers(client);
      const remove = async (target: string): Promise<string> => {
        const { id, names } = await store.find(target);
        const isLastName = names.length <= 1 || id.startsWith(target.replace(/^sha256:/, ''));
        if (isLastName) await freeImage(client, users, { id, force: flags.force });
        const force = flags.force || flags.all;
        return describeRemoval(await store.remove(target, { force }));
      };
      // The exit codes of podman-rmi(1).
      const exitCodes = { IMAGE_NOT_FOUND: 1, IMAGE_IN_USE: 2 };
      return await forEachTarget(context, { targets, exitCodes }, remove);
    } finally {
      client?.close();
    }
  },
);

/** Containers are known to the sandboxer alone; where none has left a trace, none is started to be asked. */
async function connectIfContainers(context: CommandContext): Promise<SandboxerClient | undefined> {
  const running = await SandboxerClient.connectIfRunning(context);
  if (running !== undefined || !hasContainers(context)) return running;
  return SandboxerClient.connect(context);
}

function hasContainers({ directories }: CommandContext): boolean {
  try {
    return readdirSync(path.join(directories.runtime, 'sandboxes')).length > 0;
  } catch {
    return false; // ENOENT: there never was one.
  }
}

/** Which containers use which image. */
async function findUsers(client: SandboxerClient | undefined): Promise<Map<string, string[]>> {
  const users = new Map<string, string[]>();
  if (client === undefined) return users;
  const { containers } = await client.call('list', { all: true });
  for (const { imageId, name } of containers) {
    users.set(imageId, [...(users.get(imageId) ?? []), name]);
  }
  return users;
}

/** Throws IMAGE_IN_USE while a container uses the image; by force they are removed instead. */
async function freeImage(
  client: SandboxerClient | undefined,
  users: ReadonlyMap<string, string[]>,
  { id, force }: { id: string; force: boolean },
): Promise<void> {
  const containers = users.get(id) ?? [];
  if (client === undefined || containers.length === 0) return;
  if (!force) {
    throw new WardianError(
      'IMAGE_IN_USE',
      `the image ${id.slice(0, 12)} is used by ${containers.join(', ')}`,
      { hint: 'remove those containers first, or use --force to remove them, too' },
    );
  }
  for (const container of containers) {
    await client.call('remove', { container, force, timeoutMs: STOP_TIMEOUT_MS });
  }
}

function describeRemoval({ untagged, deletedId }: RemoveResult): string {
  const lines = untagged.map((name) => `Untagged: ${name}`);
  if (deletedId !== undefined) lines.push(`Deleted: ${deletedId}`);
  return lines.join('\n');
}
