import type { Row } from './row.ts';

/** What every row with commands contains: the start and end of a process from here, and of a Node that does nothing. */
export const floor: Row = {
  name: 'floor',
  title: 'for comparison: a program that does nothing',
  unit: 'ms',
  async prepare({ runner }) {
    const time = (argv: readonly string[]) => async () => ({ value: await runner.time(argv) });
    return [
      { name: 'true', measure: time(['true']) },
      { name: 'node', measure: time([process.execPath, '-e', '0']) },
    ];
  },
};
