const SIZE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
};

const TIME_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

/** Bytes of a size as `--memory` takes it ("512m"); undefined when it is none. */
export function parseSizeText(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([bkmgt]?)(?:i?b)?$/i.exec(text);
  const bytes = Math.floor(
    Number(match?.[1]) * (SIZE_UNITS[match?.[2]?.toLowerCase() ?? ''] ?? Number.NaN),
  );
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Milliseconds of a span ("200ms", "30s", "5m", "1h"); undefined when it is none. */
export function parseTimeText(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h)$/.exec(text);
  const milliseconds = Math.round(
    Number(match?.[1]) * (TIME_UNITS[match?.[2] ?? ''] ?? Number.NaN),
  );
  return Number.isSafeInteger(milliseconds) ? milliseconds : undefined;
}

/** A size in the largest unit of which it is a whole number. */
export function formatSizeText(bytes: number): string {
  const unit = ['t', 'g', 'm', 'k'].find(
    (name) => bytes > 0 && bytes % (SIZE_UNITS[name] ?? 1) === 0,
  );
  return unit === undefined ? `${bytes}b` : `${bytes / (SIZE_UNITS[unit] ?? 1)}${unit}`;
}

/** A span in the largest unit of which it is a whole number. */
export function formatTimeText(milliseconds: number): string {
  const unit = ['h', 'm', 's'].find(
    (name) => milliseconds > 0 && milliseconds % (TIME_UNITS[name] ?? 1) === 0,
  );
  return unit === undefined
    ? `${milliseconds}ms`
    : `${milliseconds / (TIME_UNITS[unit] ?? 1)}${unit}`;
}
