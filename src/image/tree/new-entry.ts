import type { EntryKind } from '../tar/tar-reader.ts';
import type { TreeEntry } from './file-tree.ts';

/** An entry of root's, from the beginning of time. */
export function newEntry(name: string, kind: EntryKind, mode: number): TreeEntry {
  return {
    name,
    linkName: '',
    kind,
    mode,
    uid: 0,
    gid: 0,
    mtimeSeconds: 0,
    mtimeNanoseconds: 0,
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: [],
  };
}
