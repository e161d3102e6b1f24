import type { MachineDescription } from '../machine.ts';
import type { Results } from '../results.ts';
import { drawDensity } from './density-chart.ts';
import { drawStarts, listLines } from './start-chart.ts';

/** A chart of what was measured, as SVG: of the density when that is among it, else of the times. */
export function drawChart({ density, rows, machine }: Results): string {
  const subtitle = describe(machine);
  if (density !== undefined) {
    const what =
      'QEMU, sandboxer and one copy of the template’s memory; programs’ files are not counted';
    return drawDensity(density, `${what}\n${subtitle}`);
  }
  if (listLines(rows).length === 0) throw new Error('nothing that was measured goes into a chart');
  return drawStarts(rows, `medians, the stroke across a bar is our budget; ${subtitle}`);
}

function describe({ cores, cpu, accelerator, qemu, loadAverage }: MachineDescription): string {
  const emulated =
    accelerator === 'tcg' ? 'without hardware virtualisation' : `under ${accelerator}`;
  return `${cores} cores of ${cpu}, QEMU ${qemu} ${emulated}, load ${loadAverage.toFixed(1)}`;
}
