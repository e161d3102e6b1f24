import { parseSpec } from '../../oci/runtime-spec/parse.ts';
import type { Spec } from '../../oci/runtime-spec/types.ts';
import type { SandboxState } from '../../sandbox/sandbox-state.ts';

const specs = new WeakMap<SandboxState, Spec>();

/** A container's specification; parsed from its state when it is first asked for. */
export function getSpec(state: SandboxState): Spec {
  let spec = specs.get(state);
  if (spec === undefined) {
    spec = parseSpec(state.spec);
    specs.set(state, spec);
  }
  return spec;
}
