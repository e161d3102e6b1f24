import { WardianError } from '../../util/errors.ts';
import { type Bundle, loadBundle } from '../bundle/load-bundle.ts';
import { toAbsolute } from '../paths.ts';
import type { VerbCall } from '../runtime-context.ts';
import { checkContainerId } from '../state/container-id.ts';
import type { CreateRequest } from './making.ts';

/** What `create` and `run` are asked for. */
export function readCreateFlags(
  { flags, operands: [id = ''], context }: VerbCall,
  isDetached: boolean,
): CreateRequest {
  checkContainerId(id);
  refuseDescriptors(flags.getNumber('preserve-fds'));
  const resolve = (name: string): string | undefined => {
    const given = flags.getText(name);
    return given ? toAbsolute(given, context.workingDirectory) : undefined;
  };
  const bundle: Bundle = loadBundle(
    resolve('bundle') ?? context.workingDirectory,
    resolve('config'),
  );
  const pidFile = resolve('pid-file');
  return { id, bundle, context, pidFile, consoleSocket: resolve('console-socket'), isDetached };
}

/** A terminal needs somebody who holds its other end; SPEC_INVALID or USAGE when nobody would. */
export function checkConsole(
  request: { readonly consoleSocket: string | undefined } & (
    | Pick<CreateRequest, 'bundle'>
    | { readonly terminal: boolean }
  ),
  { isDetached }: { isDetached: boolean },
): void {
  const terminal =
    'terminal' in request ? request.terminal : (request.bundle.spec.process?.terminal ?? false);
  if (terminal && isDetached && request.consoleSocket === undefined) {
    throw new WardianError(
      'USAGE',
      'the process asks for a terminal, and without --console-socket nobody would hold it',
      { hint: 'give --console-socket, or set process.terminal to false' },
    );
  }
  if (request.consoleSocket === undefined || terminal) return;
  throw new WardianError('USAGE', '--console-socket is given for a process without a terminal', {
    hint: 'set process.terminal to true, or leave the flag out',
  });
}

/** Descriptors cannot be handed into another kernel. */
export function refuseDescriptors(count: number | undefined): void {
  if (count === undefined || count === 0) return;
  throw new WardianError(
    'SPEC_UNSUPPORTED',
    `--preserve-fds ${count}: open files of the host cannot be passed into a virtual machine`,
    { hint: 'leave the flag out, and use standard input, output and error' },
  );
}
