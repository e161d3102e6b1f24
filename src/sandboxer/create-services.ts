import path from 'node:path';
import type { Directories } from '../host/directories.ts';
import { loadDriver } from '../hypervisor/registry.ts';
import { ImageStore } from '../image/image-store.ts';
import type { SandboxServices } from '../sandbox/start-machine.ts';
import { loadGuest } from '../template/guest.ts';
import { TemplateStore } from '../template/template-store.ts';
import type { Surroundings } from './handlers.ts';

export interface ServiceOptions {
  readonly directories: Directories;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly launcherPath: string;
}

export interface Services {
  readonly services: SandboxServices;
  readonly images: ImageStore;
  readonly describe: Surroundings['describe'];
}

/** Builds what all sandboxes share: driver, guest, templates, images. The one place where they are put together. */
export async function createServices(options: ServiceOptions): Promise<Services> {
  const { directories, environment, launcherPath } = options;
  const guest = await loadGuest(directories.cache);
  const { driver, choice } = await loadDriver('qemu', {
    launcherPath,
    cacheDirectory: directories.cache,
    diskDirectories: [path.join(directories.data, 'images')],
    accelerator: environment['WARDIAN_ACCEL'],
  });
  const templates = new TemplateStore({
    cacheDirectory: directories.cache,
    runtimeDirectory: directories.runtime,
    driver,
    guest,
    launcherPath,
  });
  const describe = (): ReturnType<Surroundings['describe']> => ({
    accelerator: choice.accelerator,
    acceleratorReason: choice.reason,
    directories: { ...directories },
  });
  const services = { driver, templates, guest, runtimeDirectory: directories.runtime };
  return { services, images: new ImageStore(directories.data), describe };
}
