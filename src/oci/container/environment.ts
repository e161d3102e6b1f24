import { WardianError } from '../../util/errors.ts';
import type { ContainerInput } from './container-input.ts';

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The environment of a container: our defaults below the image's variables below the request's. */
export function assembleEnvironment(
  { request, image }: Omit<ContainerInput, 'users'>,
  place: { hostname: string; home: string },
): string[] {
  return mergeEnvironment(
    [
      `PATH=${DEFAULT_PATH}`,
      // systemd and others look for this one to see that they are in a container.
      'container=wardian',
      ...(request.terminal ? ['TERM=xterm'] : []),
      `HOSTNAME=${place.hostname}`,
      `HOME=${place.home}`,
    ],
    image.env.filter(isAssignment),
    checkAssignments(request.env),
  );
}

/** Puts lists of `NAME=value` on top of each other; a name keeps its first place and its last value. */
export function mergeEnvironment(...lists: readonly (readonly string[])[]): string[] {
  const byName = new Map(
    lists.flat().map((entry): [string, string] => [entry.slice(0, entry.indexOf('=')), entry]),
  );
  return [...byName.values()];
}

/** Fails with USAGE for what is not `NAME=value`. */
export function checkAssignments(entries: readonly string[]): readonly string[] {
  const wrong = entries.find((entry) => !isAssignment(entry));
  if (wrong === undefined) return entries;
  const shown = JSON.stringify(wrong.slice(0, 64));
  throw new WardianError('USAGE', `${shown} is not an environment variable`, {
    hint: 'write NAME=value',
  });
}

function isAssignment(entry: string): boolean {
  return entry.indexOf('=') > 0 && !entry.includes('\0');
}
