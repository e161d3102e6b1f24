import type { ImageRecord } from '../../image/image-record.ts';
import { ImageStore } from '../../image/image-store.ts';
import { defineCommand } from '../define-command.ts';
import { formatAge, formatSize, formatTime, shortenId } from '../output/human.ts';
import { LIST_FLAGS, printList } from '../output/print-list.ts';

/** An image under one of its names; what has none is listed once. */
interface NamedImage {
  image: ImageRecord;
  repository: string;
  tag: string;
}

const NONE = '<none>';

/** `wardian images`. */
export const images = defineCommand(
  {
    name: 'images',
    operands: '[NAME]',
    maximumOperands: 1,
    summary: 'list images',
    completes: 'image',
    flags: {
      all: { short: 'a', help: 'all images; there are no intermediate ones to leave out' },
      'no-trunc': { help: 'show ids in full' },
      digests: { help: 'show digests, too' },
      ...LIST_FLAGS,
    },
  },
  async ({ flags, operands: [name] }, context) => {
    const records = await new ImageStore(context.directories.data).list();
    const nowMs = Date.now();
    const isLong = flags['no-trunc'];
    const named = records
      .flatMap(listNames)
      .filter(({ repository, tag }) => name === undefined || matchesName(name, repository, tag));
    const toId = ({ image }: NamedImage): string =>
      isLong ? `sha256:${image.id}` : shortenId(image.id);
    await printList(
      context,
      {
        items: flags.quiet ? dropRepeatedImages(named) : named,
        columns: [
          ['REPOSITORY', ({ repository }) => repository],
          ['TAG', ({ tag }) => tag],
          ...(flags.digests
            ? ([['DIGEST', ({ image }: NamedImage) => image.digest]] as const)
            : []),
          ['IMAGE ID', toId],
          ['CREATED', ({ image }) => formatCreation(image, nowMs)],
          ['SIZE', ({ image }) => formatSize(image.sizeBytes)],
        ],
        toRecord: ({ image, repository, tag }) => ({
          Id: image.id,
          ID: shortenId(image.id),
          Repository: repository,
          Tag: tag,
          Digest: image.digest,
          Names: image.names,
          Created: Math.floor(image.createdAtMs / 1000),
          CreatedAt: formatTime(image.createdAtMs),
          Size: image.sizeBytes,
          Labels: image.config.labels,
        }),
        toId,
      },
      flags,
    );
    return 0;
  },
);

/** Images that are made to be the same everywhere have no date. */
function formatCreation({ createdAtMs }: ImageRecord, nowMs: number): string {
  return createdAtMs === 0 ? 'N/A' : formatAge(createdAtMs, nowMs);
}

function listNames(image: ImageRecord): NamedImage[] {
  if (image.names.length === 0) return [{ image, repository: NONE, tag: NONE }];
  return image.names.map((name) => {
    const colon = name.lastIndexOf(':');
    return { image, repository: name.slice(0, colon), tag: name.slice(colon + 1) };
  });
}

function dropRepeatedImages(named: readonly NamedImage[]): NamedImage[] {
  return [...new Map(named.map((item) => [item.image.id, item])).values()];
}

/** `busybox` means that repository in whatever registry, `busybox:1` also its tag. */
function matchesName(wanted: string, repository: string, tag: string): boolean {
  const colon = wanted.lastIndexOf(':');
  const hasTag = colon > wanted.lastIndexOf('/');
  const name = hasTag ? wanted.slice(0, colon) : wanted;
  if (hasTag && wanted.slice(colon + 1) !== tag) return false;
  return repository === name || repository.endsWith(`/${name}`);
}
