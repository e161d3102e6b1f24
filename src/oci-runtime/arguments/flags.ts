/** One flag of a command line that others wrote: engines call runtimes as runc and crun want to be called. */
export interface Flag {
  /** The long name without dashes, by which the value is asked for. */
  readonly name: string;
  /** A single letter, without its dash. */
  readonly short?: string;
  readonly kind: FlagKind;
  /** What `--help` says, in lower case. */
  readonly help: string;
  /** The flag is taken and nothing is done with it; the sentence says why that is right. */
  readonly ignored?: string;
}

/** `switch`: there or not, or `=true`/`=false`; `number`: a whole one; `list`: may be given several times. */
export type FlagKind = 'switch' | 'text' | 'number' | 'list';

/** The values of flags that were given, by their long names. */
export class FlagValues {
  readonly #values = new Map<string, string[]>();

  add(flag: Flag, value: string): void {
    const values = flag.kind === 'list' ? (this.#values.get(flag.name) ?? []) : [];
    this.#values.set(flag.name, [...values, value]);
  }

  /** True for a switch that is on, and for any other flag that was given. */
  isSet(name: string): boolean {
    const [value] = this.#values.get(name) ?? [];
    return value !== undefined && value !== 'false';
  }

  /** Of the last time that the flag was given. */
  getText(name: string): string | undefined {
    return this.#values.get(name)?.[0];
  }

  /** A number that was checked when it was read. */
  getNumber(name: string): number | undefined {
    const text = this.getText(name);
    return text === undefined ? undefined : Number(text);
  }

  getList(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }
}
