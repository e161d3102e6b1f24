import { OURS } from '../table.ts';
import { IMAGE, stopSandboxer } from '../wardian.ts';
import { type Row, runPeers } from './row.ts';

const FLAGS = ['--rm', IMAGE, 'true'];

/** What people type. */
export const run: Row = {
  name: 'run',
  title: '`wardian run --rm busybox true`, the sandboxer runs',
  unit: 'ms',
  budget: 140,
  async prepare(bench) {
    const runner = bench.createRunner(bench.commands);
    const ours = {
      name: OURS,
      measure: async () => ({ value: await runner.time(bench.commands.run(...FLAGS)) }),
    };
    return [ours, ...runPeers(bench, ['podman', 'containerd', 'runsc'])];
  },
};

/** The first command after a while of nothing: it starts a sandboxer, which loads the template. */
export const firstRun: Row = {
  name: 'first-run',
  title: 'the same, and a sandboxer must be started first',
  unit: 'ms',
  async prepare(bench, cleanup) {
    const commands = bench.createCommands('first');
    cleanup.defer('sandboxer', () => stopSandboxer(commands));
    const runner = bench.createRunner(commands);
    const measure = async () => {
      await stopSandboxer(commands);
      return { value: await runner.time(commands.run(...FLAGS)) };
    };
    return [{ name: OURS, measure }];
  },
};
