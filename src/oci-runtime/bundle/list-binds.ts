import type { Mount, Spec } from '../../oci/runtime-spec/types.ts';

/** A place of the host that a container gets, as the stub puts it into the share. */
export interface Bind {
  /** Place in `mounts` of the specification. */
  readonly mount: number;
  /** In the container's folder of the share. */
  readonly name: string;
  /** Absolute. */
  readonly path: string;
  /** With what is mounted below it. */
  readonly isRecursive: boolean;
}

/** The bind mounts of a specification, with sources below the bundle made absolute. */
export function listBinds({ mounts = [] }: Spec, bundle: string): Bind[] {
  return mounts.flatMap((mount, index) => {
    if (!isBind(mount) || mount.source === undefined || mount.source === '') return [];
    const path = mount.source.startsWith('/') ? mount.source : `${bundle}/${mount.source}`;
    const isRecursive = mount.options?.includes('rbind') ?? false;
    return [{ mount: index, name: `bind${index}`, path, isRecursive }];
  });
}

/** Engines give the type, an option, or both. */
function isBind({ type, options = [] }: Mount): boolean {
  return type === 'bind' || options.includes('bind') || options.includes('rbind');
}
