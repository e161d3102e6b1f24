import type { ImageRecord } from '../../image/image-record.ts';
import { buildSpec, containerHostname } from '../../oci/container/build-spec.ts';
import { NO_NETWORK, networkFiles } from '../../oci/container/network-files.ts';
import { formatSpec } from '../../oci/runtime-spec/parse.ts';
import { parseSignal } from '../../oci/signals.ts';
import { translateSpec } from '../../oci/translate/translate-spec.ts';
import type { ContainerPlan } from '../../sandbox/container-plan.ts';
import { chooseSizeClass } from '../../template/size-class.ts';
import type { RunRequest } from '../api.ts';

const DEFAULT_STOP_SIGNAL = 15;

export interface ContainerSurroundings {
  readonly name: string;
  readonly image: ImageRecord;
  readonly logPath: string;
}

/** Decides everything about a container before anything is done: specification, guest operations, machine. */
export function planContainer(
  asked: RunRequest,
  { name, image, logPath }: ContainerSurroundings,
): ContainerPlan {
  // A container has its image's labels, too, and is found by them.
  const request = { ...asked, name, labels: { ...image.config.labels, ...asked.labels } };
  const spec = buildSpec({ request, image: image.config, users: image });
  const guest = translateSpec(spec, {
    id: request.id,
    layers: [], // the sandbox knows at which place it attaches the image
    stdin: request.interactive,
    files: networkFiles(request, NO_NETWORK),
  });
  return {
    id: request.id,
    name,
    image: { reference: asked.image, id: image.id, erofsPath: image.erofsPath },
    request,
    spec: formatSpec(spec),
    guest,
    hostname: containerHostname(request),
    size: chooseSizeClass(request.limits),
    guestName: request.guest,
    fromTemplate: request.template,
    stopSignal: request.stopSignal ?? getImageStopSignal(image.config.stopSignal),
    logPath,
    owned: !request.detached,
    host: {},
  };
}

function getImageStopSignal(stopSignal: string | undefined): number {
  return stopSignal ? parseSignal(stopSignal) : DEFAULT_STOP_SIGNAL;
}
