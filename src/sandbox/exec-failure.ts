import { constants } from 'node:os';
import { WardianError } from '../util/errors.ts';

const { ENOENT, ENOTDIR, ENOEXEC } = constants.errno;
const MAX_SHOWN_COMMAND = 200;

/** Says why a command could not be run, in the words (and with the exit codes) that podman's users know. */
export function startFailure(
  command: string,
  result: { readonly execErrno: number; readonly execMessage: string },
): WardianError {
  const shown = JSON.stringify(command.slice(0, MAX_SHOWN_COMMAND));
  if (result.execErrno === ENOENT || result.execErrno === ENOTDIR) {
    const isPath = command.includes('/');
    return new WardianError(
      'COMMAND_NOT_FOUND',
      isPath
        ? `${shown}: no such file or directory`
        : `executable file ${shown} not found in $PATH`,
      {
        hint: isPath
          ? 'the interpreter or loader that it names may be missing too'
          : 'check the image’s PATH and what it holds',
      },
    );
  }
  const hint =
    result.execErrno === ENOEXEC
      ? 'is it a program for another architecture, or a script without "#!"?'
      : 'check its mode and owner';
  return new WardianError(
    'COMMAND_NOT_EXECUTABLE',
    `${shown} cannot be run: ${result.execMessage}`,
    { hint },
  );
}
