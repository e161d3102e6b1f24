import { formatJson, type Json, parseJson } from '../../oci/runtime-spec/json.ts';
import { WardianError } from '../../util/errors.ts';
import type { FlagValues } from '../arguments/flags.ts';

type JsonObject = { [key: string]: Json };

/** A process for `exec`: the specification's object, and what the command line must know of it. */
export interface ExecProcess {
  readonly json: string;
  readonly terminal: boolean;
  readonly size: { readonly height: number; readonly width: number } | undefined;
}

/** Sets of capabilities that `--cap` adds to: those that a process has without being asked further. */
const ADDED_SETS = ['bounding', 'effective', 'permitted', 'ambient'] as const;

/** The largest id of a user or group (uid_t of Linux, less the one that means "none"). */
const MAX_ID = 2 ** 32 - 2;

/** The process of a file that an engine wrote; flags of the command line change it. The sandboxer checks what it says. */
export function readProcessText(text: string, flags: FlagValues): ExecProcess {
  const process = parseObject(text, '--process');
  if (flags.isSet('tty')) process['terminal'] = true;
  return describe(process);
}

/** The container's own process with another command, as runc and crun make one of a command line. */
export function buildProcess(
  config: string,
  command: readonly string[],
  flags: FlagValues,
): ExecProcess {
  if (command.length === 0) {
    throw new WardianError('USAGE', 'exec needs a command, or --process', {
      hint: 'wardian-runtime exec ID COMMAND [ARGUMENT...]',
    });
  }
  const process = asObject(parseObject(config, 'config.json')['process'] ?? {});
  delete process['consoleSize'];
  process['args'] = [...command];
  process['terminal'] = flags.isSet('tty');
  process['env'] = [...asList(process['env']), ...flags.getList('env')];
  const cwd = flags.getText('cwd');
  if (cwd !== undefined) process['cwd'] = cwd;
  if (flags.isSet('no-new-privs')) process['noNewPrivileges'] = true;
  addUser(process, flags);
  addCapabilities(process, flags.getList('cap'));
  return describe(process);
}

function addUser(process: JsonObject, flags: FlagValues): void {
  const user = asObject(process['user'] ?? {});
  const given = flags.getText('user');
  if (given !== undefined) {
    const [uid = '', gid] = given.split(':');
    user['uid'] = readId(uid, '--user');
    if (gid !== undefined) user['gid'] = readId(gid, '--user');
  }
  const groups = flags.getList('additional-gids').flatMap((list) => list.split(','));
  if (groups.length > 0) {
    const added = groups.map((group) => readId(group, '--additional-gids'));
    user['additionalGids'] = [...asList(user['additionalGids']), ...added];
  }
  process['user'] = user;
}

function addCapabilities(process: JsonObject, names: readonly string[]): void {
  if (names.length === 0) return;
  const capabilities = asObject(process['capabilities'] ?? {});
  const added = names.map((name) => {
    const upper = name.toUpperCase();
    return upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  });
  for (const set of ADDED_SETS) {
    capabilities[set] = [...new Set([...asList(capabilities[set]), ...added])];
  }
  process['capabilities'] = capabilities;
}

function describe(process: JsonObject): ExecProcess {
  const { height, width } = asObject(process['consoleSize'] ?? {});
  const hasSize = typeof height === 'number' && typeof width === 'number';
  return {
    json: formatJson(process),
    terminal: process['terminal'] === true,
    size: hasSize ? { height, width } : undefined,
  };
}

function readId(text: string, flag: string): number {
  const id = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (id <= MAX_ID) return id;
  throw new WardianError('USAGE', `${flag}: ${JSON.stringify(text.slice(0, 40))} is no id`, {
    hint: 'give numbers: the names are in the container, whose files are not read here',
  });
}

function parseObject(text: string, what: string): JsonObject {
  const value = parseJson(text);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new WardianError('SPEC_INVALID', `${what} is no JSON object`);
}

function asObject(value: Json): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}

function asList(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : [];
}
