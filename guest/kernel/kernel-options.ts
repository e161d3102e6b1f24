/** An option as a fragment asks for it; the name without CONFIG_, the value as Kconfig writes it, `n` for off. */
export interface KernelOption {
  readonly name: string;
  readonly value: string;
  /** Why it has that value. */
  readonly reason: string;
}

const LINE = /^(?<name>[0-9A-Z][0-9A-Za-z_]*)=(?<value>"[^"]*"|\w+)\s+# (?<reason>\S.*)$/;

/** Reads a fragment: `NAME=value # reason` on each line; lines that begin with `#` are headings. */
export function parseFragment(text: string, name: string): KernelOption[] {
  return text
    .split('\n')
    .map((line, index) => ({ line, place: `${name}:${index + 1}` }))
    .filter(({ line }) => line.trim() !== '' && !line.startsWith('#'))
    .map(({ line, place }) => parseLine(line, place));
}

function parseLine(line: string, place: string): KernelOption {
  const { name, value, reason } = LINE.exec(line)?.groups ?? {};
  if (name === undefined || value === undefined || reason === undefined) {
    throw new Error(`${place} is not "NAME=value # reason": ${line}`);
  }
  return { name, value, reason };
}

/** Joins fragments; an option may stand in one of them only, so that nobody has to know which one wins. */
export function mergeFragments(fragments: readonly (readonly KernelOption[])[]): KernelOption[] {
  const options = new Map<string, KernelOption>();
  for (const option of fragments.flat()) {
    if (options.has(option.name)) throw new Error(`${option.name} is asked for twice`);
    options.set(option.name, option);
  }
  return [...options.values()];
}

/** What Kconfig reads as KCONFIG_ALLCONFIG; reasons left out, so that a better one builds nothing anew. */
export function renderOptions(options: readonly KernelOption[]): string {
  return options
    .map(({ name, value }) =>
      value === 'n' ? `# CONFIG_${name} is not set\n` : `CONFIG_${name}=${value}\n`,
    )
    .sort()
    .join('');
}

/**
 * One sentence for each option that the finished configuration (`.config`) does not have as asked for. Kconfig drops
 * silently what lacks a dependency.
 */
export function findUnmet(options: readonly KernelOption[], configuration: string): string[] {
  const lines = configuration.matchAll(/^CONFIG_(\w+)=(.*)$/gm);
  const actual = new Map([...lines].map(([, name = '', value = '']) => [name, value]));
  return options
    .filter(({ name, value }) => (actual.get(name) ?? 'n') !== value)
    .map(({ name, value }) => `CONFIG_${name} is ${actual.get(name) ?? 'n'}, not ${value}`);
}
