import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const HASH = 'a'.repeat(64);

/** A cache with the files of all guests, which are text, and a manifest that names what a test wants. */
export class GuestCache {
  readonly directory = mkdtempSync(path.join(tmpdir(), 'wardian-guest-'));

  constructor() {
    mkdirSync(path.join(this.directory, 'guest/build'), { recursive: true });
    for (const name of ['kernel', 'initramfs', 'busybox', 'mini-tcg', 'mini-kvm', 'agent', 'qemu'])
      writeFileSync(this.at(name), name);
  }

  at(name: string): string {
    return path.join(this.directory, name);
  }

  /** The part about the distribution's kernel. */
  describeDistro(changes: object = {}): object {
    return {
      kernel: this.at('kernel'),
      initramfs: this.at('initramfs'),
      busybox: this.at('busybox'),
      kernelRelease: '6.1.0-1-amd64',
      acpi: true,
      parameters: [],
      sha256: { kernel: HASH, initramfs: 'b'.repeat(64) },
      ...changes,
    };
  }

  describeMini(accelerators: readonly string[], changes: object = {}): object {
    const kernels = accelerators.map((accelerator) => [
      accelerator,
      {
        kernel: this.at(`mini-${accelerator}`),
        kernelRelease: `6.1.1-${accelerator}`,
        parameters: [`for=${accelerator}`],
        sha256: HASH,
      },
    ]);
    return {
      initramfs: this.at('agent'),
      acpi: false,
      sha256: { initramfs: HASH },
      kernels: Object.fromEntries(kernels),
      ...changes,
    };
  }

  describeQemu(): object {
    const firmwareDirectory = '/usr/share/qemu';
    return { path: this.at('qemu'), firmwareDirectory, version: '7.2', sha256: HASH };
  }

  /** Replaces the manifest as the set-up does. */
  write(manifest: object): void {
    const file = this.at('guest/manifest.json');
    writeFileSync(`${file}.new`, JSON.stringify(manifest));
    renameSync(`${file}.new`, file);
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
