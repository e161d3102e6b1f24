import type { Xattr } from '../tar/pax.ts';

/** What every kind of file has. Names, targets and attributes are bytes, one character each. */
export interface Attributes {
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
  readonly xattrs: readonly Xattr[];
}

/** Where the bytes of a regular file are: in the spool of its image. */
export interface ContentReference {
  readonly offset: number;
  readonly sizeBytes: number;
}

export interface RegularFile {
  readonly kind: 'file';
  readonly attributes: Attributes;
  readonly content: ContentReference;
}

export interface Directory {
  readonly kind: 'directory';
  attributes: Attributes;
  readonly children: Map<string, Link>;
}

export interface SymbolicLink {
  readonly kind: 'symlink';
  readonly attributes: Attributes;
  readonly target: string;
}

export interface SpecialFile {
  readonly kind: 'character-device' | 'block-device' | 'fifo';
  readonly attributes: Attributes;
  readonly major: number;
  readonly minor: number;
}

export type Inode = RegularFile | Directory | SymbolicLink | SpecialFile;

/** A name in a folder. An inode with several is a hard link; the layer belongs to the name, not to the inode. */
export interface Link {
  readonly inode: Inode;
  layer: number;
}

/** For folders that no layer mentions but something lies in. */
export const IMPLIED_DIRECTORY: Attributes = {
  mode: 0o755,
  uid: 0,
  gid: 0,
  mtimeSeconds: 0,
  mtimeNanoseconds: 0,
  xattrs: [],
};
