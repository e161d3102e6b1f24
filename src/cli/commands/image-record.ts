import type { ImageRecord } from '../../image/image-record.ts';
import { formatTime } from '../output/human.ts';

/** An image as podman's inspect shows one. */
export function toImageRecord(image: ImageRecord): object {
  const { config } = image;
  return {
    Id: image.id,
    Digest: image.digest,
    RepoTags: image.names,
    Created: formatTime(image.createdAtMs),
    Size: image.sizeBytes,
    Architecture: 'amd64',
    Os: 'linux',
    Config: {
      User: config.user,
      Env: config.env,
      Entrypoint: config.entrypoint,
      Cmd: config.cmd,
      WorkingDir: config.workingDirectory,
      StopSignal: config.stopSignal,
      Labels: config.labels,
      Volumes: config.volumes,
      ExposedPorts: config.exposedPorts,
    },
    RootFs: { Path: image.erofsPath },
  };
}
