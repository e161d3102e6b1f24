import { prepareDebianLayout, skipWithoutDebian } from '../../test/support/debian-image.ts';
import type { Bench } from '../rows/row.ts';
import { IDLE_COMMAND, IMAGE, type WardianCommands } from '../wardian.ts';
import type { Workload } from './fleet.ts';

export interface PreparedWorkload extends Workload {
  /** Takes the image in, where it is not built in. */
  prepare(commands: WardianCommands): Promise<void>;
  /** A further step would take long and tell nothing new. */
  readonly mostContainers: number;
}

const PYTHON_IMAGE = 'bench-debian-python';
/** An interpreter that has started and does nothing more; it ends by itself, should the bench be killed. */
const PYTHON_COMMAND = ['python3', '-c', 'import time; time.sleep(3600)'];
const MOST_WITH_PYTHON = 50;

/** What is run idle: a static `sleep`, and a Python on Debian where that image can be made. */
export async function listWorkloads(
  bench: Bench,
  omissions: string[],
): Promise<PreparedWorkload[]> {
  const busybox = {
    name: 'busybox',
    image: IMAGE,
    command: IDLE_COMMAND,
    prepare: async () => {},
    mostContainers: Number.POSITIVE_INFINITY,
  };
  try {
    const reason = skipWithoutDebian();
    if (reason !== false) throw new Error(reason);
    const layout = await prepareDebianLayout();
    const load = async (commands: WardianCommands): Promise<void> => {
      await bench.createRunner(commands).time(commands.load(layout, PYTHON_IMAGE));
    };
    const python = { name: 'python', image: PYTHON_IMAGE, command: PYTHON_COMMAND };
    return [busybox, { ...python, prepare: load, mostContainers: MOST_WITH_PYTHON }];
  } catch (error) {
    omissions.push(`without python: ${error instanceof Error ? error.message : String(error)}`);
    return [busybox];
  }
}
