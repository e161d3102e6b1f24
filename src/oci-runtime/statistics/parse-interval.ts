import { WardianError } from '../../util/errors.ts';

const DEFAULT_MS = 5000;
const SHORTEST_MS = 10;
/** setTimeout takes no more. */
const LONGEST_MS = 2 ** 31 - 1;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** A time as Go writes it ("1m30s", "500ms"), or as a number of seconds; absent: five seconds. In milliseconds. */
export function parseInterval(text: string | undefined): number {
  if (text === undefined) return DEFAULT_MS;
  const parts = [...text.matchAll(/(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h|$)/g)];
  const isWhole = parts.length > 0 && parts.map(([part]) => part).join('') === text;
  const sumMs = parts.reduce(
    (sum, [, n, unit]) => sum + Number(n) * (UNIT_MS[unit || 's'] ?? 0),
    0,
  );
  if (isWhole && sumMs >= SHORTEST_MS && sumMs <= LONGEST_MS) return sumMs;
  throw new WardianError('USAGE', `--interval is ${JSON.stringify(text.slice(0, 64))}`, {
    hint: 'give a time such as 5s or 500ms',
  });
}
