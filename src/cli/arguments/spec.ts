/** One flag, described once: the parser, the help text and the completion read it. */
export interface FlagSpec {
  /** The one-letter form. */
  readonly short?: string;
  /** Another long name with the same meaning. */
  readonly alias?: string;
  /** Name of the value in the help text; a flag without one is a switch. */
  readonly value?: string;
  /** May stand several times. */
  readonly repeated?: true;
  /** What a switch is when it is not given. */
  readonly initially?: true;
  /** The only values there are. */
  readonly choices?: readonly string[];
  readonly help: string;
}

export type FlagSpecs = Readonly<Record<string, FlagSpec>>;

/** A verb of the command line. */
export interface CommandSpec<F extends FlagSpecs = FlagSpecs> {
  readonly name: string;
  /** What stands behind the flags, as in `IMAGE [COMMAND [ARG...]]`. */
  readonly operands: string;
  readonly minimumOperands?: number;
  readonly maximumOperands?: number;
  readonly summary: string;
  readonly flags: F;
  /** What stands behind the first operand belongs to the container, flags too. */
  readonly stopAtOperand?: true;
  /** Flags of podman that mean nothing here or not yet: name (or `-x`) and the reason. */
  readonly refused?: Readonly<Record<string, string>>;
  /** What an operand names, for completion. */
  readonly completes?: 'container' | 'image' | 'file' | 'verb';
  readonly examples?: readonly string[];
}

export type FlagValue<S extends FlagSpec> = S extends { value: string }
  ? S extends { repeated: true }
    ? string[]
    : (S extends { choices: readonly (infer Choice)[] } ? Choice : string) | undefined
  : boolean;

export type FlagValues<F extends FlagSpecs> = { [Name in keyof F]: FlagValue<F[Name]> };

export interface ParsedArguments<F extends FlagSpecs> {
  readonly flags: FlagValues<F>;
  readonly operands: string[];
  /** `--help` was given: nothing else was looked at. */
  readonly help: boolean;
}
