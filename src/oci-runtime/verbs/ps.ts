import { captureCommand } from '../../host/spawn.ts';
import { WardianError } from '../../util/errors.ts';
import type { Verb } from '../runtime-context.ts';
import { listExecs } from '../state/exec-records.ts';
import { getContainerFolder, readState } from '../state/state-folder.ts';
import { describeState } from '../state/status.ts';

const TIMEOUT_MS = 30_000;
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

/** `ps [-f table|json] ID [PS-OPTION...]`: the host's processes of a container, which are its stubs. */
export const ps: Verb = async ({ flags, operands: [id = '', ...options], context }) => {
  const folder = getContainerFolder(context.root, id);
  const { pid, status } = describeState(readState(folder, id));
  if (status === 'stopped') {
    throw new WardianError('CONTAINER_NOT_RUNNING', `container "${id}" is ${status}`);
  }
  const pids = [pid, ...listExecs(folder).map((exec) => exec.pid)].filter((each) => each > 0);
  const format = flags.getText('format') ?? 'table';
  if (format === 'json') context.print(`${JSON.stringify(pids)}\n`);
  else if (format === 'table') context.print(await renderTable(pids, options));
  else {
    throw new WardianError('USAGE', `--format is ${JSON.stringify(format)}`, {
      hint: 'it is table or json',
    });
  }
  return 0;
};

/** What ps(1) says of them, with the caller's options or -ef. */
async function renderTable(pids: readonly number[], options: readonly string[]): Promise<string> {
  const argv = options.length > 0 ? options : ['-ef'];
  const { stdout } = await captureCommand('ps', argv, {
    timeoutMs: TIMEOUT_MS,
    maxOutputBytes: MAX_OUTPUT_BYTES,
  });
  const [header = '', ...lines] = stdout.split('\n');
  const column = header.trim().split(/\s+/).indexOf('PID');
  if (column < 0) {
    throw new WardianError('USAGE', `ps ${argv.join(' ')} shows no PID`, {
      hint: 'leave the options out, or add one that shows it',
    });
  }
  const ours = lines.filter((line) => pids.includes(Number(line.trim().split(/\s+/)[column])));
  return `${[header, ...ours].join('\n')}\n`;
}
