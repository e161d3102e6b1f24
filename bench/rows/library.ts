import type { Sample } from '../measure.ts';
import { OURS } from '../table.ts';
import { createRunRequest, type WardianLibrary } from '../wardian.ts';
import { type Row, runPeers } from './row.ts';

/** A container's whole life through the library, beside runtimes that make no more of it than we do here. */
export const library: Row = {
  name: 'library',
  title: 'library: create, run `true`, exit code, gone',
  unit: 'ms',
  budget: 110,
  async prepare(bench) {
    const ours = { name: OURS, measure: () => measureLife(bench.library, true) };
    return [ours, ...runPeers(bench, ['runsc', 'crun', 'runc'])];
  },
};

/** The same without a template: what cloning saves. */
export const coldBoot: Row = {
  name: 'cold-boot',
  title: 'library, cold boot instead of a clone (--no-template)',
  unit: 'ms',
  async prepare(bench) {
    return [{ name: OURS, measure: () => measureLife(bench.library, false) }];
  },
};

export async function measureLife(
  { sandboxer }: WardianLibrary,
  template: boolean,
): Promise<Sample> {
  const request = createRunRequest(['true'], template);
  const startMs = performance.now();
  await sandboxer.run(request);
  const runningMs = performance.now();
  const exitCode = await sandboxer.wait(request.id);
  const exitedMs = performance.now();
  await sandboxer.remove(request.id, false, 0);
  const endMs = performance.now();
  if (exitCode !== 0) throw new Error(`true ended with ${exitCode}`);
  return {
    value: endMs - startMs,
    parts: {
      'until it runs': runningMs - startMs,
      'exit, machine gone': exitedMs - runningMs,
      removed: endMs - exitedMs,
    },
  };
}
