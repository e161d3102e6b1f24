import { buildSpec } from '../oci/container/build-spec.ts';
import type { GuestContainer } from '../oci/guest-operations.ts';
import { translateSpec } from '../oci/translate/translate-spec.ts';

/** What of a container can be made before anybody knows its image or command. */
export type SpareContainer = Pick<
  GuestContainer,
  'namespaces' | 'mounts' | 'devices' | 'maskedPaths' | 'readonlyPaths' | 'cgroupFiles'
>;

const NO_IMAGE = { entrypoint: [], cmd: [], env: [], workingDirectory: '/', user: '' };
const NO_USERS = { passwd: '', group: '' };

/** The surroundings of a container that asks for nothing special: most do, and the others lose nothing. */
export function describeSpareContainer(): SpareContainer {
  const id = '0'.repeat(64);
  const request = {
    id,
    command: ['true'],
    env: [],
    terminal: false,
    readOnly: false,
    tmpfs: [],
    labels: {},
    limits: {},
  };
  const spec = buildSpec({ request, image: NO_IMAGE, users: NO_USERS });
  const guest = translateSpec(spec, { id, layers: [], stdin: true });
  const { namespaces, mounts, devices, maskedPaths, readonlyPaths, cgroupFiles } = guest;
  return { namespaces, mounts, devices, maskedPaths, readonlyPaths, cgroupFiles };
}
