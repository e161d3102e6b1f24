import { WardianError } from '../util/errors.ts';
import type { DriverOptions, LoadedDriver } from './driver-options.ts';
import { manageDriver } from './managed-driver.ts';

interface DriverModule {
  readonly load: (options: DriverOptions) => Promise<LoadedDriver>;
}

/** One folder a driver; its code is read when it is asked for. */
const DRIVERS: Readonly<Record<string, () => Promise<DriverModule>>> = {
  qemu: async () => ({ load: (await import('./qemu/driver.ts')).loadQemuDriver }),
};

/** Finds the VMM on this host and readies its driver. */
export async function loadDriver(name: string, options: DriverOptions): Promise<LoadedDriver> {
  const entry = Object.hasOwn(DRIVERS, name) ? DRIVERS[name] : undefined;
  if (entry === undefined) {
    throw new WardianError(
      'CONFIG_INVALID',
      `no hypervisor driver is called ${JSON.stringify(name)}`,
      {
        hint: `known are: ${Object.keys(DRIVERS).join(', ')}`,
      },
    );
  }
  const loaded = await (await entry()).load(options);
  return { ...loaded, driver: manageDriver(loaded.driver) };
}
