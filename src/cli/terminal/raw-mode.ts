import { disableOutputProcessing, suspendOutputProcessing } from '../../host/terminal-output.ts';
import type { CommandContext, InputStream } from '../command.ts';

type TerminalStreams = Pick<CommandContext, 'stdin' | 'stdout'>;

/**
 * Hands every key to the process behind `stdin`, Ctrl-C too, and its output to the screen as it is. Returns how to give the terminal back, which also
 * happens when this process exits without having done so.
 */
export function enterRawMode(stdin: InputStream): () => void {
  if (!stdin.isTTY || stdin.setRawMode === undefined) return () => {};
  let isRaw = true;
  const restore = (): void => {
    process.off('exit', restore);
    if (isRaw) stdin.setRawMode?.(false);
    isRaw = false;
  };
  process.once('exit', restore);
  stdin.setRawMode(true);
  disableOutputProcessing();
  return restore;
}

/** Shows what comes from the process's own terminal as it is, and leaves the keys to us: for -t without -i. */
export function enterPlainOutput({ stdin, stdout }: TerminalStreams): () => void {
  if (!stdin.isTTY || !stdout.isTTY) return () => {};
  const resume = suspendOutputProcessing();
  process.once('exit', resume);
  return () => {
    process.off('exit', resume);
    resume();
  };
}
