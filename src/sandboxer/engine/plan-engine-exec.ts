import { parseProcess } from '../../oci/runtime-spec/parse.ts';
import { translateProcess } from '../../oci/translate/translate-process.ts';
import type { ExecPlan } from '../../sandbox/execs.ts';
import type { SandboxState } from '../../sandbox/sandbox-state.ts';
import type { ExecContainerRequest } from '../engine-api.ts';
import { getSpec } from '../requests/container-spec.ts';

/** Decides what one more process of an engine's container is. */
export function planEngineExec(request: ExecContainerRequest, state: SandboxState): ExecPlan {
  const { execId, stub } = request;
  const process = parseProcess(request.process);
  const { seccomp, personality } = getSpec(state).linux ?? {};
  return {
    execId,
    process: translateProcess(process, { stdin: true, seccomp, personality, isExec: true }),
    owned: true,
    stub,
  };
}
