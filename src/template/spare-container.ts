import { buildSpec } from '../oci/container/build-spec.ts';
import type { GuestContainer } from '../oci/guest-operations.ts';
import type { Spec } from '../oci/runtime-spec/types.ts';
import { translateSpec } from '../oci/translate/translate-spec.ts';

/** What of a container can be made before anybody knows its image or command. */
export type SpareContainer = Pick<
  GuestContainer,
  'namespaces' | 'mounts' | 'devices' | 'maskedPaths' | 'readonlyPaths' | 'cgroupFiles'
>;

const NO_IMAGE = { entrypoint: [], cmd: [], env: [], workingDirectory: '/', user: '' };
const NO_USERS = { passwd: '', group: '' };

/** Of a container that asks for nothing special. */
export const PLAIN_REQUEST = {
  id: '0'.repeat(64),
  env: [],
  terminal: false,
  readOnly: false,
  tmpfs: [],
  labels: {},
  limits: {},
};

/** The specification of such a container, of no image. */
export function buildPlainSpec(command: readonly string[]): Spec {
  return buildSpec({ request: { ...PLAIN_REQUEST, command }, image: NO_IMAGE, users: NO_USERS });
}

/** The surroundings of a container that asks for nothing special: most do, and the others lose nothing. */
export function describeSpareContainer(): SpareContainer {
  const { id } = PLAIN_REQUEST;
  const guest = translateSpec(buildPlainSpec(['true']), { id, layers: [], stdin: true });
  const { namespaces, mounts, devices, maskedPaths, readonlyPaths, cgroupFiles } = guest;
  return { namespaces, mounts, devices, maskedPaths, readonlyPaths, cgroupFiles };
}
