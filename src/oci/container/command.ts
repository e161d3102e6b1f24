import { WardianError } from '../../util/errors.ts';
import type { ContainerInput } from './container-input.ts';

/**
 * ENTRYPOINT and CMD as podman puts them together: a command replaces CMD, an entrypoint of the
 * request replaces ENTRYPOINT and drops the image's CMD with it. Fails with USAGE when nothing is left.
 */
export function assembleCommand({ request, image }: Omit<ContainerInput, 'users'>): string[] {
  const entrypoint = request.entrypoint ?? image.entrypoint;
  const imageCommand = request.entrypoint === undefined ? image.cmd : [];
  const given = request.command ?? [];
  const args = [...entrypoint, ...(given.length > 0 ? given : imageCommand)];
  if (args.length === 0) {
    throw new WardianError(
      'USAGE',
      'no command: neither the image nor the command line names one',
      {
        hint: 'put a command behind the name of the image',
      },
    );
  }
  if (args[0] === '') throw new WardianError('USAGE', 'the command is an empty word');
  return args;
}
