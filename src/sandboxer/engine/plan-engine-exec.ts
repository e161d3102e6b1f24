import { parseJson } from '../../oci/runtime-spec/json.ts';
import { checkSpec } from '../../oci/runtime-spec/parse.ts';
import type { Process, Resources } from '../../oci/runtime-spec/types.ts';
import { translateProcess } from '../../oci/translate/translate-process.ts';
import type { ExecPlan } from '../../sandbox/execs.ts';
import type { SandboxState } from '../../sandbox/sandbox-state.ts';
import { toWardianError, WardianError } from '../../util/errors.ts';
import type { ExecContainerRequest } from '../engine-api.ts';
import { getSpec } from '../requests/container-spec.ts';

/** Decides what one more process of an engine's container is. */
export function planEngineExec(request: ExecContainerRequest, state: SandboxState): ExecPlan {
  const { execId, stub } = request;
  const { process } = checkPart({ process: readJson(request.process, 'process') });
  const { seccomp } = getSpec(state).linux ?? {};
  return {
    execId,
    process: translateProcess(process as Process, { stdin: true, seccomp }),
    owned: true,
    stub,
  };
}

/** Reads the `linux.resources` of an update. */
export function parseResources(text: string): Resources {
  const { linux } = checkPart({ linux: { resources: readJson(text, 'linux.resources') } });
  return linux?.resources ?? {};
}

function checkPart(part: object) {
  return checkSpec({ ociVersion: '1.0.0', ...part });
}

function readJson(text: string, what: string): unknown {
  try {
    return parseJson(text);
  } catch (thrown) {
    throw new WardianError(
      'SPEC_INVALID',
      `${what} is not JSON: ${toWardianError(thrown).message}`,
    );
  }
}
