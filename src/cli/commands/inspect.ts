import { ImageStore } from '../../image/image-store.ts';
import type { SandboxerClient } from '../../sandboxer/client.ts';
import { WardianError } from '../../util/errors.ts';
import type { CommandContext } from '../command.ts';
import { withSandboxer } from '../connect.ts';
import { defineCommand } from '../define-command.ts';
import { reportError } from '../output/report-error.ts';
import { parseTemplate } from '../output/template.ts';
import { writeJson, writeText } from '../output/write-text.ts';
import { toContainerRecord } from './container-record.ts';
import { toImageRecord } from './image-record.ts';

/** `wardian inspect`. */
export const inspect = defineCommand(
  {
    name: 'inspect',
    operands: 'CONTAINER|IMAGE...',
    minimumOperands: 1,
    summary: 'show everything about containers or images',
    completes: 'container',
    flags: {
      type: {
        short: 't',
        value: 'KIND',
        choices: ['all', 'container', 'image'],
        help: 'what the names are of',
      },
      format: { short: 'f', value: 'FORMAT', help: 'json, or a template such as {{.State.Pid}}' },
      json: { help: 'print JSON, as without it' },
    },
  },
  async ({ flags, operands }, context) => {
    const type = flags.type ?? 'all';
    const isJson = flags.json || flags.format === undefined || flags.format === 'json';
    const template = isJson ? undefined : parseTemplate(flags.format ?? '');
    const records: object[] = [];
    let exitCode = 0;
    const look = async (client: SandboxerClient | undefined): Promise<void> => {
      for (const name of operands) {
        try {
          records.push(await findRecord(name, type, client, context));
        } catch (error) {
          exitCode = await reportError(error, context);
        }
      }
    };
    await (type === 'image' ? look(undefined) : withSandboxer(context, look));
    if (template === undefined) {
      await writeJson(context.stdout, records);
    } else {
      const lines = records.map((record) => `${template.render(record)}\n`);
      await writeText(context.stdout, lines.join(''));
    }
    return exitCode;
  },
);

/** A container of this name, or else an image. */
async function findRecord(
  name: string,
  type: string,
  client: SandboxerClient | undefined,
  context: CommandContext,
): Promise<object> {
  const images = new ImageStore(context.directories.data);
  if (client === undefined) return toImageRecord(await images.find(name));
  try {
    return toContainerRecord(await client.call('inspect', { container: name }));
  } catch (error) {
    if (type !== 'all' || !isCode(error, 'CONTAINER_NOT_FOUND', 'NAME_INVALID')) throw error;
  }
  try {
    return toImageRecord(await images.find(name));
  } catch (error) {
    if (!isCode(error, 'IMAGE_NOT_FOUND')) throw error;
    throw new WardianError(
      'CONTAINER_NOT_FOUND',
      `no container and no image is called ${JSON.stringify(name)}`,
      { hint: 'see: wardian ps -a, and wardian images' },
    );
  }
}

function isCode(thrown: unknown, ...codes: string[]): boolean {
  return thrown instanceof WardianError && codes.includes(thrown.code);
}
