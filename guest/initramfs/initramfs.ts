import { type CpioEntry, writeCpio } from './cpio.ts';

export interface InitramfsContents {
  /** The agent's static executable. */
  readonly agent: Buffer;
  /** In the order in which the agent loads them. */
  readonly modules: readonly { readonly name: string; readonly content: Buffer }[];
}

/** Mount points that the agent expects; it makes nothing of its root file system itself. */
const FOLDERS = ['dev', 'lib', 'lib/modules', 'proc', 'root', 'run', 'sys', 'tmp'];

/**
 * The guest's whole user space: the agent as `/init`, kernel modules, a console and mount points.
 * Not compressed: the host's page cache is faster than a decompressor in the guest.
 */
export function buildInitramfs({ agent, modules }: InitramfsContents): Buffer {
  const paths = modules.map((module) => `lib/modules/${module.name}.ko`);
  const entries: CpioEntry[] = [
    ...FOLDERS.map((path): CpioEntry => ({ type: 'directory', path, mode: 0o755 })),
    // The kernel opens it for /init's standard streams before anything is mounted on /dev.
    { type: 'character-device', path: 'dev/console', mode: 0o600, major: 5, minor: 1 },
    { type: 'file', path: 'init', mode: 0o755, content: agent },
    // What the agent reads: one path a line, in order.
    {
      type: 'file',
      path: 'lib/modules/load',
      mode: 0o644,
      content: Buffer.from(paths.map((path) => `/${path}\n`).join('')),
    },
    ...modules.map(
      (module, index): CpioEntry => ({
        type: 'file',
        path: paths[index] as string,
        mode: 0o644,
        content: module.content,
      }),
    ),
  ];
  return writeCpio(entries);
}
