import type { RuntimeContext } from '../runtime-context.ts';
import type { ContainerState } from '../state/container-state.ts';
import { describeState } from '../state/status.ts';

/** Runs the hooks that are to know that a container is gone. Whatever they do, it is: what fails is told. */
export async function runPoststop(context: RuntimeContext, state: ContainerState): Promise<void> {
  const { poststop } = state.hooks;
  if (poststop.length === 0) return;
  const { runAllHooks } = await import('./run-hooks.ts');
  const { bundle } = state;
  const oci = describeState(state, 'stopped');
  const run = { kind: 'poststop', hooks: poststop, state: oci, workingDirectory: bundle } as const;
  for (const failure of await runAllHooks(run)) context.warn(failure);
}
