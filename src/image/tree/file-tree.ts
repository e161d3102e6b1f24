import { invalidImage, showName } from '../image-errors.ts';
import type { TarEntry } from '../tar/tar-reader.ts';
import { type PathBounds, splitEntryPath } from './file-path.ts';
import {
  type Attributes,
  type ContentReference,
  type Directory,
  IMPLIED_DIRECTORY,
  type Inode,
  type Link,
} from './inode.ts';

/** What an entry of a layer says, without its content. */
export type TreeEntry = Omit<TarEntry, 'content' | 'offset' | 'sizeBytes'>;

/** As many symbolic links in one path as Linux follows. */
const MAX_SYMLINKS = 40;

/** Linux reads a symbolic link into one page. */
const MAX_TARGET_BYTES = 4095;

const WHITEOUT_PREFIX = '.wh.';
const OPAQUE_MARKER = '.wh..wh..opq';

/** What a mount of overlayfs writes down for itself; in a layer it would hide or redirect files of the guest's overlay. */
const OVERLAY_XATTR = /^(trusted|user)\.overlay\./;

/**
 * The file system of an image as it grows layer by layer, in memory, with contents elsewhere. Nothing of it
 * ever touches the host's file system, so no path, link or device in it can do harm there.
 */
export class FileTree {
  readonly root: Directory = newDirectory(IMPLIED_DIRECTORY);
  readonly #bounds: PathBounds;
  #layer = 0;
  #label = 'layer 1';

  constructor(bounds: PathBounds) {
    this.#bounds = bounds;
  }

  /** From here on entries belong to a new layer; `label` names it in errors. */
  beginLayer(label: string): void {
    this.#layer++;
    this.#label = label;
  }

  /** True when the entry hides something rather than being something. */
  isWhiteout(entry: TreeEntry): boolean {
    return baseName(entry.name).startsWith(WHITEOUT_PREFIX);
  }

  /**
   * Adds an entry to the present layer. The later of two entries of one name counts; folders keep their content.
   * Whiteouts hide what lower layers brought (OCI image-spec, layer.md, "Whiteouts").
   */
  add(entry: TreeEntry, content: ContentReference = { offset: 0, sizeBytes: 0 }): void {
    const components = splitEntryPath(entry.name, this.#bounds, this.#label);
    const name = components.pop();
    if (name === undefined) {
      this.#addRoot(entry);
      return;
    }
    if (name.startsWith(WHITEOUT_PREFIX)) {
      this.#applyWhiteout(components, name, entry.name);
      return;
    }
    const parent = this.#makeParent(components, entry.name);
    if (entry.kind === 'hard-link') this.#addHardLink(parent, name, entry);
    else this.#addInode(parent, name, makeInode(entry, content, this.#label));
  }

  /** Finds a file by its path inside the image and follows symbolic links, none of which leads out of it. */
  find(filePath: string): Inode | undefined {
    return this.#walk(filePath.split('/'), { create: false, of: filePath });
  }

  #addRoot(entry: TreeEntry): void {
    if (entry.kind !== 'directory') {
      throw invalidImage(`${this.#label}: the root of the image is not a directory`);
    }
    this.root.attributes = readAttributes(entry);
  }

  #addInode(parent: Directory, name: string, inode: Inode): void {
    const existing = parent.children.get(name);
    if (existing?.inode.kind === 'directory' && inode.kind === 'directory') {
      existing.inode.attributes = inode.attributes;
      existing.layer = this.#layer;
      return;
    }
    parent.children.set(name, { inode, layer: this.#layer });
  }

  #addHardLink(parent: Directory, name: string, entry: TreeEntry): void {
    const target = this.#findLinkTarget(entry);
    // Linked to itself, as some writers do: there is nothing to add.
    if (parent.children.get(name)?.inode === target) return;
    parent.children.set(name, { inode: target, layer: this.#layer });
  }

  #findLinkTarget(entry: TreeEntry): Inode {
    const refuse = (reason: string) =>
      invalidImage(
        `${this.#label}: ${showName(entry.name)} is a hard link to ${showName(entry.linkName)}, ${reason}`,
      );
    const components = splitEntryPath(entry.linkName, this.#bounds, this.#label);
    const name = components.pop();
    if (name === undefined) throw refuse('a directory');
    const parent = this.#walk(components, { create: false, of: entry.linkName });
    const target = parent?.kind === 'directory' ? parent.children.get(name)?.inode : undefined;
    if (target === undefined) throw refuse('which is not in the image');
    if (target.kind === 'directory') throw refuse('a directory');
    return target;
  }

  #applyWhiteout(components: string[], name: string, fullName: string): void {
    const parent = this.#walk(components, { create: false, of: fullName });
    // umoci tells of every file in a folder that has gone or become a file: nothing is left to hide.
    if (parent?.kind !== 'directory') return;
    if (name === OPAQUE_MARKER) {
      this.#hideChildren(parent);
      return;
    }
    const hidden = name.slice(WHITEOUT_PREFIX.length);
    // `.wh..wh.plnk` and the like are notes of the old aufs driver.
    if (hidden.startsWith(WHITEOUT_PREFIX)) return;
    if (hidden === '' || hidden === '.' || hidden === '..') {
      throw invalidImage(`${this.#label}: the whiteout ${showName(fullName)} names no file`);
    }
    const link = parent.children.get(hidden);
    if (link !== undefined && this.#hide(link)) parent.children.delete(hidden);
  }

  /** Hides what lower layers brought; true when nothing of this layer is left in it. Depth is bounded by `maxDepth`. */
  #hide(link: Link): boolean {
    if (link.inode.kind === 'directory') {
      this.#hideChildren(link.inode);
      if (link.inode.children.size > 0) return false;
    }
    return link.layer < this.#layer;
  }

  #hideChildren(directory: Directory): void {
    for (const [name, link] of directory.children) {
      if (this.#hide(link)) directory.children.delete(name);
    }
  }

  #makeParent(components: string[], of: string): Directory {
    const parent = this.#walk(components, { create: true, of });
    if (parent?.kind === 'directory') return parent;
    throw invalidImage(`${this.#label}: the parent of ${showName(of)} is not a directory`);
  }

  /**
   * Goes along a path as the kernel would with the image as its root: symbolic links are followed, `..` at the
   * root stays there. With `create`, missing folders are made. Undefined when something on the way is missing.
   */
  #walk(
    components: readonly string[],
    options: { create: boolean; of: string },
  ): Inode | undefined {
    const pending = [...components].reverse();
    const trail: Directory[] = [this.root];
    let symlinks = 0;
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      const here = trail[trail.length - 1] ?? this.root;
      if (name === '' || name === '.') continue;
      if (name === '..') {
        if (trail.length > 1) trail.pop();
        continue;
      }
      const next = here.children.get(name)?.inode ?? this.#makeMissing(here, name, options.create);
      if (next?.kind === 'directory') this.#descend(trail, next, options.of);
      else if (next?.kind === 'symlink') {
        if (++symlinks > MAX_SYMLINKS) throw this.#tooManyLinks(options.of);
        if (next.target.startsWith('/')) trail.length = 1;
        pending.push(...next.target.split('/').reverse());
      } else return pending.length === 0 ? next : undefined;
    }
    return trail[trail.length - 1];
  }

  #makeMissing(parent: Directory, name: string, create: boolean): Inode | undefined {
    if (!create) return undefined;
    const inode = newDirectory(IMPLIED_DIRECTORY);
    parent.children.set(name, { inode, layer: this.#layer });
    return inode;
  }

  #descend(trail: Directory[], next: Directory, of: string): void {
    if (trail.length > this.#bounds.maxDepth) {
      throw invalidImage(
        `${this.#label}: the path ${showName(of)} is deeper than ${this.#bounds.maxDepth} folders`,
      );
    }
    trail.push(next);
  }

  #tooManyLinks(of: string): Error {
    return invalidImage(`${this.#label}: the path ${showName(of)} has too many symbolic links`);
  }
}

function makeInode(entry: TreeEntry, content: ContentReference, label: string): Inode {
  const attributes = readAttributes(entry);
  switch (entry.kind) {
    case 'directory':
      return newDirectory(attributes);
    case 'symlink':
      // Linux gives every symbolic link this mode, whatever an archive says.
      return {
        kind: 'symlink',
        attributes: { ...attributes, mode: 0o777 },
        target: checkTarget(entry, label),
      };
    case 'file':
    case 'hard-link':
      return { kind: 'file', attributes, content };
    default:
      return {
        kind: entry.kind,
        attributes,
        major: entry.deviceMajor,
        minor: entry.deviceMinor,
      };
  }
}

/** Where it points is harmless: only the guest ever follows it, with the image as its root. */
function checkTarget({ name, linkName }: TreeEntry, label: string): string {
  if (linkName !== '' && linkName.length <= MAX_TARGET_BYTES) return linkName;
  throw invalidImage(
    `${label}: the symbolic link ${showName(name)} has a target of ${linkName.length} bytes`,
  );
}

function newDirectory(attributes: Attributes): Directory {
  return { kind: 'directory', attributes, children: new Map() };
}

function readAttributes(entry: TreeEntry): Attributes {
  return {
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    mtimeSeconds: entry.mtimeSeconds,
    mtimeNanoseconds: entry.mtimeNanoseconds,
    xattrs: entry.xattrs.filter(({ name }) => !OVERLAY_XATTR.test(name)),
  };
}

function baseName(name: string): string {
  const trimmed = name.replace(/\/+$/, '');
  return trimmed.slice(trimmed.lastIndexOf('/') + 1);
}
