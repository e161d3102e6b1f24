import { WardianError } from '../../util/errors.ts';

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** A time as podman takes it: Unix seconds, RFC 3339 (or a part of it), or so long ago (`1h30m`). Unix ms. */
export function parseTime(flag: string, text: string, nowMs: number): number {
  const durationMs = parseDuration(text);
  if (durationMs !== undefined) return nowMs - durationMs;
  if (/^\d+(\.\d+)?$/.test(text)) return Math.round(Number(text) * 1000);
  const date = /^\d{4}-\d{2}-\d{2}([T ].*)?$/.test(text) ? parseDate(text) : Number.NaN;
  if (Number.isFinite(date)) return date;
  throw new WardianError('USAGE', `${flag} cannot be ${JSON.stringify(text)}`, {
    hint: 'write a time (2026-01-31T12:00:00Z), Unix seconds, or how long ago (1h30m)',
  });
}

/** A date alone begins at midnight of the local time zone, as the rest without a zone does. */
function parseDate(text: string): number {
  return Date.parse(text.length === 10 ? `${text}T00:00:00` : text);
}

function parseDuration(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, number, unit = ''] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) {
    total += Number(number) * (UNITS_MS[unit] ?? 0);
  }
  return total;
}
