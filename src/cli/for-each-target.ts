import type { ErrorCode } from '../util/error-codes.ts';
import { WardianError } from '../util/errors.ts';
import type { CommandContext } from './command.ts';
import { reportError } from './output/report-error.ts';
import { writeText } from './output/write-text.ts';

/** Exit codes that podman has for single failures of a verb, where they are not the error's own. */
type ExitCodes = Partial<Record<ErrorCode, number>>;

/** Fewer than the calls that a sandboxer takes from one client; the others follow in groups. */
const MOST_AT_ONCE = 256;

export interface Targets {
  readonly targets: readonly string[];
  readonly exitCodes?: ExitCodes;
}

/**
 * Does something to each target and prints its name (or what `action` returns); a failure is reported and
 * the others still get their turn. Returns the largest exit code.
 */
export async function forEachTarget(
  context: CommandContext,
  { targets, exitCodes = {} }: Targets,
  action: (target: string) => Promise<string | undefined>,
): Promise<number> {
  let worst = 0;
  for (let start = 0; start < targets.length; start += MOST_AT_ONCE) {
    const group = targets.slice(start, start + MOST_AT_ONCE);
    const outcomes = await Promise.allSettled(group.map(action));
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.status === 'fulfilled') {
        await writeText(context.stdout, `${outcome.value ?? group[index]}\n`);
        continue;
      }
      const exitCode = await reportError(outcome.reason, context);
      worst = Math.max(worst, getSpecialExitCode(outcome.reason, exitCodes) ?? exitCode);
    }
  }
  return worst;
}

function getSpecialExitCode(thrown: unknown, exitCodes: ExitCodes): number | undefined {
  return thrown instanceof WardianError ? exitCodes[thrown.code] : undefined;
}
