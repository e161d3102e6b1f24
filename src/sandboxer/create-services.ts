import path from 'node:path';
import type { Directories } from '../host/directories.ts';
import { ImageStore } from '../image/image-store.ts';
import type { SandboxServices } from '../sandbox/start-machine.ts';
import type { GuestPreference } from '../template/guest-pair.ts';
import { GuestPairs } from '../template/guest-pairs.ts';
import type { SandboxerInfo } from './api.ts';

export interface ServiceOptions {
  readonly directories: Directories;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly launcherPath: string;
  /** What sandboxes get that ask for no guest. */
  readonly guest: GuestPreference;
}

/** The part of what people are told that is decided here. */
type GuestInfo = Pick<SandboxerInfo, 'accelerator' | 'acceleratorReason' | 'guest' | 'directories'>;

export interface Services {
  readonly services: SandboxServices;
  readonly images: ImageStore;
  readonly pairs: GuestPairs;
  readonly describe: () => Promise<GuestInfo>;
  /** Folder of images that are nobody's, which machines may see. */
  readonly warmUpDirectory: string;
}

/** Builds what all sandboxes share: guests with their drivers and templates, images. The one place where they are put together. */
export async function createServices(options: ServiceOptions): Promise<Services> {
  const { directories, environment, launcherPath } = options;
  const warmUpDirectory = path.join(directories.cache, 'warm-up');
  const pairs = await GuestPairs.open({
    cacheDirectory: directories.cache,
    runtimeDirectory: directories.runtime,
    launcherPath,
    diskDirectories: [path.join(directories.data, 'images'), warmUpDirectory],
    accelerator: environment['WARDIAN_ACCEL'],
    preference: options.guest,
  });
  const describe = async (): Promise<GuestInfo> => {
    const { loaded, ...guest } = await pairs.describe();
    const { accelerator, reason } = loaded.choice;
    return {
      accelerator,
      acceleratorReason: reason,
      guest,
      directories: { ...directories },
    };
  };
  const services = { pairs, runtimeDirectory: directories.runtime };
  return { services, pairs, images: new ImageStore(directories.data), describe, warmUpDirectory };
}
