import type { SandboxerClient } from '../sandboxer/client.ts';
import { WardianError } from '../util/errors.ts';

/** The containers that were named, or all of them (`running`: only those that run) with --all. */
export async function selectTargets(
  client: SandboxerClient,
  options: { verb: string; all: boolean; operands: readonly string[]; running: boolean },
): Promise<string[]> {
  const { verb, all, operands, running } = options;
  if (!all) {
    if (operands.length > 0) return [...new Set(operands)];
    throw new WardianError('USAGE', `${verb} needs CONTAINER`, {
      hint: `name one, or take them all: wardian ${verb} --all`,
    });
  }
  if (operands.length > 0) {
    throw new WardianError('USAGE', '--all does not go together with names of containers');
  }
  const { containers } = await client.call('list', { all: !running });
  return containers.map(({ id }) => id);
}
