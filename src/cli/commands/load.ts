import type { LoadProgress } from '../../image/build-image.ts';
import { ImageStore } from '../../image/image-store.ts';
import { WardianError } from '../../util/errors.ts';
import type { CommandContext } from '../command.ts';
import { defineCommand } from '../define-command.ts';
import { formatSize } from '../output/human.ts';
import { createProgressLine } from '../output/progress-line.ts';
import { writeJson, writeText } from '../output/write-text.ts';
import { catchEndingSignals } from '../terminal/signals.ts';

/** `wardian load`. */
export const load = defineCommand(
  {
    name: 'load',
    operands: '[FILE|FOLDER]',
    maximumOperands: 1,
    summary: 'take an image from an archive or folder',
    completes: 'file',
    flags: {
      input: {
        short: 'i',
        value: 'PATH',
        help: 'an OCI or docker archive, or an OCI layout folder',
      },
      name: {
        value: 'NAME',
        repeated: true,
        help: 'call the image so instead of by its own names',
      },
      quiet: { short: 'q', help: 'show no progress' },
      json: { help: 'print JSON' },
    },
    examples: ['podman save alpine | wardian load', 'wardian load -i image.tar'],
  },
  async ({ flags, operands: [operand] }, context) => {
    if (flags.input !== undefined && operand !== undefined) {
      throw new WardianError('USAGE', 'load takes --input or a path, not both');
    }
    const source = flags.input ?? operand ?? takeStdin(context);
    const progress = createProgressLine(() => context.stderr);
    const cancel = new AbortController();
    const { caught, stop } = catchEndingSignals(context.signals);
    void caught.then(() => cancel.abort());
    try {
      const records = await new ImageStore(context.directories.data).load(source, {
        ...(flags.name.length > 0 && { names: flags.name }),
        ...(!flags.quiet &&
          context.stderr.isTTY && {
            onProgress: (state) => progress.show(renderProgress(state)),
          }),
        signal: cancel.signal,
      });
      progress.clear();
      if (flags.json) {
        await writeJson(
          context.stdout,
          records.map(({ id, names, sizeBytes }) => ({ Id: id, Names: names, Size: sizeBytes })),
        );
      } else {
        const lines = records.map(({ id, names }) => `Loaded image: ${names.join(', ') || id}\n`);
        await writeText(context.stdout, lines.join(''));
      }
      return 0;
    } catch (error) {
      progress.clear();
      if (cancel.signal.aborted) return await caught;
      throw error;
    } finally {
      stop();
    }
  },
);

function takeStdin(context: CommandContext): CommandContext['stdin'] {
  if (!context.stdin.isTTY) return context.stdin;
  throw new WardianError('USAGE', 'load needs an archive, and standard input is a terminal', {
    hint: 'wardian load -i FILE, or: podman save IMAGE | wardian load',
  });
}

function renderProgress({ phase, doneBytes, totalBytes }: LoadProgress): string {
  const total = totalBytes > 0 ? ` of ${formatSize(totalBytes)}` : '';
  return `${phase} the image: ${formatSize(doneBytes)}${total}`;
}
