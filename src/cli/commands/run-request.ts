import { parseSignal } from '../../oci/signals.ts';
import type { ResourceLimits, RunRequest } from '../../sandboxer/api.ts';
import { WardianError } from '../../util/errors.ts';
import { collectEnvironment, readLines } from '../arguments/environment.ts';
import type { FlagValues, ParsedArguments } from '../arguments/spec.ts';
import {
  parseCpus,
  parseEntrypoint,
  parseLabels,
  parsePidsLimit,
  parseSize,
  parseTmpfs,
} from '../arguments/values.ts';
import type { CommandContext } from '../command.ts';
import { getTerminalSize } from '../terminal/join-process.ts';
import type { runSpec } from './run-spec.ts';

type RunFlags = FlagValues<(typeof runSpec)['flags']>;

/** What the sandboxer is asked for. Throws USAGE for values that mean nothing. */
export function buildRunRequest(
  { flags, operands }: ParsedArguments<(typeof runSpec)['flags']>,
  id: string,
  context: CommandContext,
): RunRequest {
  const [image = '', ...command] = operands;
  const size = flags.tty && !flags.detach ? getTerminalSize(context.stdout) : undefined;
  return {
    id,
    ...(flags.name !== undefined && { name: flags.name }),
    image,
    ...(command.length > 0 && { command }),
    ...(flags.entrypoint !== undefined && { entrypoint: parseEntrypoint(flags.entrypoint) }),
    env: collectEnvironment(flags.env, flags['env-file'], context.environment),
    ...(flags.workdir !== undefined && { workingDirectory: flags.workdir }),
    ...(flags.user !== undefined && { user: flags.user }),
    ...(flags.hostname !== undefined && { hostname: flags.hostname }),
    terminal: flags.tty,
    ...(size !== undefined && { terminalSize: size }),
    interactive: flags.interactive,
    autoRemove: flags.rm,
    detached: flags.detach,
    readOnly: flags['read-only'],
    tmpfs: flags.tmpfs.map(parseTmpfs),
    network: parseNetwork(flags.network),
    labels: parseLabels([...flags['label-file'].flatMap(readLines), ...flags.label]),
    ...(flags['stop-signal'] !== undefined && { stopSignal: parseSignal(flags['stop-signal']) }),
    limits: buildLimits(flags),
    template: !flags['no-template'],
    ...(isTraced(flags) && { trace: true }),
    ...(flags.guest !== undefined && { guest: flags.guest }),
  };
}

export function isTraced(flags: RunFlags): boolean {
  return flags.trace || flags['trace-file'] !== undefined;
}

function parseNetwork(network: string | undefined): 'none' {
  if (network === undefined || network === 'none') return 'none';
  throw new WardianError('USAGE', `--network ${network} is not supported`, {
    hint: 'only --network none for now, which is also the default',
  });
}

function buildLimits(flags: RunFlags): ResourceLimits {
  const pids = flags['pids-limit'] === undefined ? undefined : parsePidsLimit(flags['pids-limit']);
  return {
    ...(flags.cpus !== undefined && { cpus: parseCpus(flags.cpus) }),
    ...(flags.memory !== undefined && { memoryBytes: parseSize('--memory', flags.memory) }),
    ...(pids !== undefined && { pids }),
  };
}
