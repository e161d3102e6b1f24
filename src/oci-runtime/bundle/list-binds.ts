import { posix } from 'node:path';
import type { Spec } from '../../oci/runtime-spec/types.ts';
import { isBindMount, MS, parseMountOptions } from '../../oci/translate/mount-options.ts';

/** A place of the host that a container gets, as the stub puts it into the share. */
export interface Bind {
  /** Place in `mounts` of the specification. */
  readonly mount: number;
  /** In the container's folder of the share. */
  readonly name: string;
  /** Absolute; of an overlay the options, which name its layers. */
  readonly path: string;
  readonly isOverlay: boolean;
  /** Where it is in the container; absolute. */
  readonly destination: string;
  /** With what is mounted below it. */
  readonly isRecursive: boolean;
  /** The guest, which nobody trusts, is not asked to keep from writing: the host's own mount is read-only. */
  readonly isReadOnly: boolean;
}

const ACCESS_WORDS = new Set(['ro', 'rw', 'rro', 'rrw']);

/** The bind mounts and overlays of a specification, with sources below the bundle made absolute. */
export function listBinds({ mounts = [] }: Spec, bundle: string): Bind[] {
  return mounts.flatMap((mount, index) => {
    const options = mount.options ?? [];
    const isOverlay = mount.type === 'overlay';
    const { flags, data } = parseMountOptions(options);
    const { source = '' } = mount;
    if (!isOverlay && (!isBindMount(mount.type, flags) || source === '')) return [];
    const place = source.startsWith('/') ? source : `${bundle}/${source}`;
    const path = isOverlay ? data : place;
    const isRecursive = (flags & MS.REC) !== 0n;
    const isReadOnly = options.findLast((word) => ACCESS_WORDS.has(word))?.endsWith('o') ?? false;
    const destination = posix.resolve('/', mount.destination);
    const name = `bind${index}`;
    return [{ mount: index, name, path, isOverlay, destination, isRecursive, isReadOnly }];
  });
}
