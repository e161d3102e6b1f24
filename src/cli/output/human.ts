const STEPS: readonly [unit: string, seconds: number][] = [
  ['year', 365 * 24 * 3600],
  ['month', 30 * 24 * 3600],
  ['week', 7 * 24 * 3600],
  ['day', 24 * 3600],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
];

/** A span of time in its largest unit: "5 minutes". */
export function formatDuration(durationMs: number): string {
  const seconds = Math.floor(Math.max(0, durationMs) / 1000);
  const [unit, size] = STEPS.find(([, step]) => seconds >= step) ?? ['second', 1];
  const count = Math.floor(seconds / size);
  if (count === 0) return 'Less than a second';
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

/** How long ago something was: "5 minutes ago". */
export function formatAge(atMs: number, nowMs: number): string {
  return `${formatDuration(nowMs - atMs)} ago`;
}

const SIZE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** A size in powers of 1000 with three digits, as podman shows those of images: "4.26 MB". */
export function formatSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < SIZE_UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${Number(value.toPrecision(3))} ${SIZE_UNITS[unit]}`;
}

/** A time as JSON output has it; the zero time of Go where there is none, as podman's scripts expect. */
export function formatTime(atMs: number | undefined): string {
  return atMs === undefined ? '0001-01-01T00:00:00Z' : new Date(atMs).toISOString();
}

/** The first twelve digits of an id. */
export function shortenId(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12);
}
