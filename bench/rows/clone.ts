import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { cloneSandboxMachine } from '../../src/template/clone.ts';
import { chooseSizeClass } from '../../src/template/size-class.ts';
import type { Sample } from '../measure.ts';
import { OURS } from '../table.ts';
import { createId } from '../wardian.ts';
import type { Bench, Row } from './row.ts';

/** A virtual machine from the template, with all devices, until its agent answers. Nothing else has this stage. */
export const clone: Row = {
  name: 'clone',
  title: 'clone with all devices: start of the VMM to the agent’s answer',
  unit: 'ms',
  budget: 36,
  async prepare(bench) {
    return [{ name: OURS, measure: () => measureClone(bench) }];
  },
};

export async function measureClone({ library, directory }: Bench): Promise<Sample> {
  const { driver, templates } = await library.services.pairs.choose();
  const template = await templates.obtain(chooseSizeClass({}));
  const place = path.join(directory, 'clone');
  await mkdir(place, { mode: 0o711 });
  try {
    const startMs = performance.now();
    const request = { driver, template, id: createId(), directory: place };
    const { machine, agent } = await cloneSandboxMachine(request);
    const startedMs = performance.now();
    try {
      await agent.ping();
      const endMs = performance.now();
      const parts = { 'start the VMM': startedMs - startMs, 'load and answer': endMs - startedMs };
      return { value: endMs - startMs, parts };
    } finally {
      agent.close();
      await machine.kill();
    }
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}
