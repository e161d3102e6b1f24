import { invalidImage, showName } from '../image-errors.ts';

/** NAME_MAX of Linux; EROFS has room for no more either. */
const MAX_NAME_BYTES = 255;

export interface PathBounds {
  readonly maxPathBytes: number;
  readonly maxDepth: number;
}

/**
 * Takes an entry's path apart, without `.` and doubled slashes; a leading slash means the image's root.
 * Refuses what no honest archive holds: `..`, NUL, and names or paths that Linux could not open.
 */
export function splitEntryPath(name: string, bounds: PathBounds, label: string): string[] {
  const refuse = (reason: string) => invalidImage(`${label}: the path ${showName(name)} ${reason}`);
  if (name.length > bounds.maxPathBytes) throw refuse(`has more than ${bounds.maxPathBytes} bytes`);
  if (name.includes('\0')) throw refuse('contains a NUL byte');
  const components = name.split('/').filter((part) => part !== '' && part !== '.');
  if (components.length > bounds.maxDepth)
    throw refuse(`is deeper than ${bounds.maxDepth} folders`);
  for (const component of components) {
    if (component === '..') throw refuse('leads out of its folder with ".."');
    if (component.length > MAX_NAME_BYTES) {
      throw refuse(`has a name of more than ${MAX_NAME_BYTES} bytes`);
    }
  }
  return components;
}
