import type { NetworkModel } from '../../machine/network-config.ts';
import { WardianError } from '../../util/errors.ts';

const ANNOTATION = 'io.wardian.network.model';

/** How the network comes to the machine: as the bundle says, else as the configuration does. */
export async function chooseNetworkModel(
  annotations: Readonly<Record<string, string>>,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<NetworkModel> {
  const asked = annotations[ANNOTATION];
  if (asked === 'tcfilter' || asked === 'macvtap') return asked;
  if (asked !== undefined) {
    throw new WardianError(
      'SPEC_INVALID',
      `annotations["${ANNOTATION}"] is ${JSON.stringify(asked)}`,
      { hint: 'it must be "tcfilter" or "macvtap"' },
    );
  }
  const { loadConfiguration } = await import('../../configuration/load-configuration.ts');
  return (await loadConfiguration({ environment })).values.network.model;
}
