import { WardianError } from '../../util/errors.ts';
import { suggest } from '../../util/suggest.ts';
import type { CommandSpec, FlagSpec, FlagSpecs, FlagValues, ParsedArguments } from './spec.ts';

type Values = Record<string, boolean | string | string[] | undefined>;

/** What is being read, and what has come of it so far. */
interface Reading {
  readonly spec: CommandSpec;
  /** Arguments to come. */
  readonly rest: string[];
  readonly values: Values;
}

interface Flag {
  name: string;
  spec: FlagSpec;
}

/** Reads arguments as podman does: `--flag=value`, `-fvalue`, `-it`, `--`. Throws USAGE. */
export function parseArguments<F extends FlagSpecs>(
  spec: CommandSpec<F>,
  arguments_: readonly string[],
): ParsedArguments<F> {
  const values = createInitialValues(spec.flags);
  const operands: string[] = [];
  const rest = [...arguments_];
  const reading: Reading = { spec, rest, values };
  for (let argument = rest.shift(); argument !== undefined; argument = rest.shift()) {
    if (argument === '--') {
      operands.push(...rest.splice(0));
    } else if (isHelp(spec, argument)) {
      return { flags: values as FlagValues<F>, operands, help: true };
    } else if (argument.startsWith('--')) {
      parseLongFlag(reading, argument);
    } else if (argument.startsWith('-') && argument !== '-') {
      parseShortFlags(reading, argument);
    } else {
      operands.push(argument);
      if (spec.stopAtOperand) operands.push(...rest.splice(0));
    }
  }
  checkOperands(spec, operands);
  return { flags: values as FlagValues<F>, operands, help: false };
}

function createInitialValues(flags: FlagSpecs): Values {
  const values: Values = {};
  for (const [name, flag] of Object.entries(flags)) {
    if (flag.value === undefined) values[name] = flag.initially ?? false;
    else values[name] = flag.repeated ? [] : undefined;
  }
  return values;
}

function isHelp(spec: CommandSpec, argument: string): boolean {
  if (argument === '--help') return true;
  return argument === '-h' && findShort(spec, 'h') === undefined;
}

function parseLongFlag(reading: Reading, argument: string): void {
  const { spec } = reading;
  const equals = argument.indexOf('=');
  const name = equals === -1 ? argument.slice(2) : argument.slice(2, equals);
  const flag = findLong(spec, name);
  if (flag === undefined) throw unknownFlag(spec, `--${name}`, name);
  const attached = equals === -1 ? undefined : argument.slice(equals + 1);
  setFlag(reading, flag, { written: `--${name}`, attached });
}

/** `-it`, `-eA=1`, `-e=A`, `-e A`: the first flag that takes a value takes what is left. */
function parseShortFlags(reading: Reading, argument: string): void {
  const { spec } = reading;
  for (let index = 1; index < argument.length; index++) {
    const letter = argument.charAt(index);
    const flag = findShort(spec, letter);
    if (flag === undefined) throw unknownFlag(spec, `-${letter}`, letter);
    const tail = argument.slice(index + 1);
    const takesTail = flag.spec.value !== undefined || tail.startsWith('=');
    const attached = tail === '' || !takesTail ? undefined : tail.replace(/^=/, '');
    setFlag(reading, flag, { written: `-${letter}`, attached });
    if (takesTail) return;
  }
}

/** `attached` stands in the flag's own argument; without it a value is the next argument. */
function setFlag(
  { rest, values }: Reading,
  { name, spec }: Flag,
  { written, attached }: { written: string; attached: string | undefined },
): void {
  if (spec.value === undefined) {
    values[name] = parseSwitch(written, attached);
    return;
  }
  const value = attached ?? rest.shift();
  if (value === undefined) {
    throw new WardianError('USAGE', `${written} needs a value: ${spec.value}`);
  }
  if (spec.choices !== undefined && !spec.choices.includes(value)) {
    throw new WardianError('USAGE', `${written} cannot be ${JSON.stringify(value)}`, {
      hint: `it is one of: ${spec.choices.join(', ')}`,
    });
  }
  if (spec.repeated) (values[name] as string[]).push(value);
  else values[name] = value;
}

function parseSwitch(written: string, attached: string | undefined): boolean {
  if (attached === undefined || /^(1|t|true)$/i.test(attached)) return true;
  if (/^(0|f|false)$/i.test(attached)) return false;
  throw new WardianError('USAGE', `${written} is a switch and cannot be ${attached}`, {
    hint: `write ${written} or ${written}=false`,
  });
}

function findLong(spec: CommandSpec, name: string): Flag | undefined {
  const own = Object.hasOwn(spec.flags, name) ? spec.flags[name] : undefined;
  if (own !== undefined) return { name, spec: own };
  return findFlag(spec, (flag) => flag.alias === name);
}

function findShort(spec: CommandSpec, letter: string): Flag | undefined {
  return findFlag(spec, (flag) => flag.short === letter);
}

function findFlag(spec: CommandSpec, matches: (flag: FlagSpec) => boolean): Flag | undefined {
  const found = Object.entries(spec.flags).find(([, flag]) => matches(flag));
  return found && { name: found[0], spec: found[1] };
}

function unknownFlag(spec: CommandSpec, written: string, name: string): WardianError {
  const reason = spec.refused?.[written];
  if (reason !== undefined) {
    return new WardianError('USAGE', `${written} is not supported: ${reason}`);
  }
  const closest = written.startsWith('--') ? suggest(name, Object.keys(spec.flags)) : undefined;
  const hint =
    closest === undefined
      ? `see: wardian ${spec.name} --help`
      : `did you mean --${closest}? see: wardian ${spec.name} --help`;
  return new WardianError('USAGE', `unknown flag ${written}`, { hint });
}

function checkOperands(spec: CommandSpec, operands: readonly string[]): void {
  const usage = `usage: wardian ${spec.name} [flags] ${spec.operands}`.trim();
  if (operands.length < (spec.minimumOperands ?? 0)) {
    throw new WardianError('USAGE', `${spec.name} needs ${spec.operands}`, { hint: usage });
  }
  if (operands.length > (spec.maximumOperands ?? Number.POSITIVE_INFINITY)) {
    const surplus = operands[spec.maximumOperands ?? 0] ?? '';
    throw new WardianError('USAGE', `${spec.name} does not take ${JSON.stringify(surplus)}`, {
      hint: usage,
    });
  }
}
