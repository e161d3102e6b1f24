import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { CONSOLE_LOG } from '../driver.ts';

/** What QEMU and the launcher complain about. */
export const VMM_LOG = 'vmm.log';
/** Enough for a kernel panic with its trace. */
const TAIL_BYTES = 16 * 1024;
const TAIL_LINES = 5;
const MAX_LINE_LENGTH = 300;
const PANIC = /Kernel panic - not syncing: (.*)/;

/** The last lines of a machine's log, fit to be shown on a terminal; empty when there are none. */
export async function readLogTail(directory: string, name: string): Promise<string> {
  return (await readLines(path.join(directory, name))).slice(-TAIL_LINES).join('; ');
}

/** Why the guest's kernel gave up, if it did. */
export async function findPanic(directory: string): Promise<string | undefined> {
  const lines = await readLines(path.join(directory, CONSOLE_LOG));
  for (const line of lines.reverse()) {
    const match = PANIC.exec(line);
    if (match !== null) return match[1];
  }
  return undefined;
}

async function readLines(filePath: string): Promise<string[]> {
  const text = await readTail(filePath);
  // The guest wrote this: nothing may move the cursor or change the terminal of who reads it.
  const printable = text.replaceAll(/[^\n\x20-\x7e]/g, '');
  return printable
    .split('\n')
    .map((line) => line.trim().slice(0, MAX_LINE_LENGTH))
    .filter((line) => line !== '');
}

async function readTail(filePath: string): Promise<string> {
  try {
    const handle = await open(
      filePath,
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    );
    try {
      const { size } = await handle.stat();
      const length = Math.min(size, TAIL_BYTES);
      const { buffer, bytesRead } = await handle.read(
        Buffer.alloc(length),
        0,
        length,
        size - length,
      );
      return buffer.toString('latin1', 0, bytesRead);
    } finally {
      await handle.close();
    }
  } catch {
    return ''; // the folder is gone or was never filled: there is nothing to quote
  }
}

/** How QEMU ended, in words; `greeted`: its monitor had answered before. */
export function describeEnd(
  exitCode: number | undefined,
  signal: string | undefined,
  greeted: boolean,
): string {
  const end =
    signal !== undefined
      ? `was ended by ${signal}`
      : exitCode === undefined
        ? 'ended'
        : `ended with exit code ${exitCode}`;
  return greeted ? `QEMU ${end}` : `QEMU did not start and ${end}`;
}
