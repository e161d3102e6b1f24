import type { Container } from '../../src/sandbox/container.ts';
import type { ExecRequest } from '../../src/sandboxer/api.ts';
import { planExec } from '../../src/sandboxer/requests/plan-exec.ts';
import type { Sample } from '../measure.ts';
import { OURS } from '../table.ts';
import { createId, IDLE_COMMAND, IMAGE, startIdle, type WardianLibrary } from '../wardian.ts';
import { execPeers, type Row } from './row.ts';

const CONTAINER = 'bench-exec';

export const exec: Row = {
  name: 'exec',
  title: '`wardian exec` of `true` in a running container',
  unit: 'ms',
  async prepare(bench, cleanup) {
    const { commands } = bench;
    const runner = bench.createRunner(commands);
    await runner.time(commands.run('--detach', '--name', CONTAINER, IMAGE, ...IDLE_COMMAND));
    cleanup.defer(CONTAINER, async () => {
      const client = await commands.connectIfRunning();
      await client?.call('remove', { container: CONTAINER, force: true, timeoutMs: 0 });
      client?.close();
    });
    const measure = async () => ({ value: await runner.time(commands.exec(CONTAINER)) });
    const peers = await execPeers(bench, ['podman', 'containerd', 'runsc'], cleanup);
    return [{ name: OURS, measure }, ...peers];
  },
};

export const libraryExec: Row = {
  name: 'library-exec',
  title: 'library: exec of `true` in a running container, exit code',
  unit: 'ms',
  budget: 6,
  async prepare(bench, cleanup) {
    const container = await startIdle(bench.library);
    const { sandboxer } = bench.library;
    cleanup.defer('container', () => sandboxer.remove(container.state.id, true, 0));
    const ours = { name: OURS, measure: () => measureExec(bench.library, container) };
    return [ours, ...(await execPeers(bench, ['runsc', 'crun', 'runc'], cleanup))];
  },
};

export async function measureExec(
  { images }: WardianLibrary,
  container: Container,
): Promise<Sample> {
  const execId = createId();
  const startMs = performance.now();
  const plan = await planExec(createExecRequest(execId), container.state, images);
  const started = container.exec(plan);
  const exited = container.getProcess(execId)?.exited;
  await started;
  const report = await exited;
  const value = performance.now() - startMs;
  if (report?.exitCode !== 0) throw new Error(`true ended with ${report?.exitCode}`);
  return { value };
}

function createExecRequest(execId: string): ExecRequest {
  return {
    container: '', // the container is at hand
    execId,
    command: ['true'],
    env: [],
    terminal: false,
    interactive: false,
    detached: true,
  };
}
