import type { OutputStream } from '../command.ts';

export interface ProgressLine {
  show(line: string): void;
  /** Takes the line away again on a terminal. */
  clear(): void;
}

/** Control characters would move the cursor; what is shown may come from elsewhere. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this looks for
const CONTROL_CHARACTERS = /[\x00-\x1f\x7f-\x9f]/g;

const ERASE_LINE = '\r\x1b[K';

/** Shows what takes long: one line that changes on a terminal, plain lines elsewhere. */
export function createProgressLine(getStream: () => OutputStream): ProgressLine {
  let isShown = false;
  let last = '';
  return {
    show(line) {
      const stream = getStream();
      const clean = line.replace(CONTROL_CHARACTERS, ' ');
      if (clean === last) return;
      last = clean;
      if (!stream.isTTY) {
        stream.write(`${clean}\n`);
        return;
      }
      isShown = true;
      stream.write(`${ERASE_LINE}${clean.slice(0, Math.max(1, (stream.columns ?? 80) - 1))}`);
    },
    clear() {
      if (isShown) getStream().write(ERASE_LINE);
      isShown = false;
    },
  };
}
