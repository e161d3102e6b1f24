import { WardianError } from '../../util/errors.ts';
import type { Flag, FlagValues } from './flags.ts';
import { GLOBAL_FLAGS } from './global-flags.ts';
import { VERB_USAGES, type VerbName, type VerbUsage } from './verb-flags.ts';

/** A command line that was understood. */
export interface ParsedArguments {
  /** Absent: only flags stood there. */
  readonly verb: VerbName | undefined;
  /** Global ones too. */
  readonly flags: FlagValues;
  readonly operands: readonly string[];
}

const HELP: Flag = { name: 'help', short: 'h', kind: 'switch', help: 'print this' };
const VERSION: Flag = { name: 'version', short: 'v', kind: 'switch', help: 'print the version' };

/** Flags of a command line without a verb. */
export const LEADING_FLAGS: readonly Flag[] = [...GLOBAL_FLAGS, HELP, VERSION];

const TRUE = ['true', '1', 't', 'T', 'TRUE', 'True'];
const FALSE = ['false', '0', 'f', 'F', 'FALSE', 'False'];

/**
 * Reads a command line: `[GLOBAL...] VERB [FLAG...] [OPERAND...]`, where flags and operands come in any order, global
 * flags may stand behind the verb, and long names may have one dash, as programs in Go take them. Fails with USAGE.
 * `flags` is filled as far as was read even then, so that the caller knows where to log that.
 */
export function parseArguments(words: readonly string[], flags: FlagValues): ParsedArguments {
  const rest = [...words];
  readFlags(rest, { flags: LEADING_FLAGS, into: flags, stopsAtOperand: true });
  const first = rest.shift();
  if (first === undefined || first === 'help') return { verb: undefined, flags, operands: rest };
  const verb = findVerb(first);
  const usage: VerbUsage = VERB_USAGES[verb];
  const operands = readFlags(rest, {
    // Of two with one letter the verb's is meant.
    flags: [...usage.flags, ...GLOBAL_FLAGS, HELP],
    into: flags,
    stopsAtOperand: usage.endsInCommand === true,
  });
  if (!flags.isSet('help')) checkOperands(verb, usage, [...operands, ...rest]);
  return { verb, flags, operands: [...operands, ...rest] };
}

interface FlagReading {
  readonly flags: readonly Flag[];
  readonly into: FlagValues;
  readonly stopsAtOperand: boolean;
}

/** Takes flags off the front of `words`, and returns the operands between them; what it leaves are operands too. */
function readFlags(words: string[], reading: FlagReading): string[] {
  const operands: string[] = [];
  for (let word = words[0]; word !== undefined; word = words[0]) {
    if (word === '--') {
      words.shift();
      return [...operands, ...words.splice(0)];
    }
    if (!word.startsWith('-') || word === '-') {
      if (reading.stopsAtOperand) return operands;
      operands.push(word);
      words.shift();
      continue;
    }
    words.shift();
    readFlag(word, words, reading);
  }
  return operands;
}

function readFlag(word: string, rest: string[], { flags, into }: FlagReading): void {
  const split = word.indexOf('=');
  const dashed = split < 0 ? word : word.slice(0, split);
  const value = split < 0 ? undefined : word.slice(split + 1);
  const name = dashed.replace(/^--?/, '');
  const flag = flags.find((candidate) => candidate.name === name || candidate.short === name);
  if (flag !== undefined) into.add(flag, readValue(flag, value, rest));
  else if (word.startsWith('--') || !readLetters(word.slice(1), rest, { flags, into })) {
    throw new WardianError('USAGE', `unknown flag ${show(dashed)}`, {
      hint: 'see which there are: wardian-runtime help',
    });
  }
}

/** Letters in one word, as in `-td`: switches, and at the end perhaps one with a value. False: they are not flags. */
function readLetters(
  letters: string,
  rest: string[],
  { flags, into }: Pick<FlagReading, 'flags' | 'into'>,
): boolean {
  for (let index = 0; index < letters.length; index++) {
    const flag = flags.find(({ short }) => short === letters[index]);
    if (flag === undefined) return false;
    const behind = letters.slice(index + 1);
    if (flag.kind !== 'switch') {
      into.add(flag, readValue(flag, behind.replace(/^=/, '') || undefined, rest));
      return true;
    }
    const value = behind.startsWith('=') ? behind.slice(1) : undefined;
    into.add(flag, readValue(flag, value, rest));
    if (value !== undefined) return true;
  }
  return letters !== '';
}

function readValue(flag: Flag, value: string | undefined, rest: string[]): string {
  if (flag.kind === 'switch') return readSwitch(flag, value ?? 'true');
  const text = value ?? rest.shift();
  if (text === undefined) throw wrong(flag, 'needs a value');
  if (flag.kind === 'number' && !/^-?\d{1,19}$/.test(text)) {
    throw wrong(flag, `is ${show(text)}, not a whole number`);
  }
  return text;
}

function readSwitch(flag: Flag, value: string): string {
  if (TRUE.includes(value)) return 'true';
  if (FALSE.includes(value)) return 'false';
  throw wrong(flag, `is ${show(value)}, not true or false`);
}

function findVerb(word: string): VerbName {
  if (Object.hasOwn(VERB_USAGES, word)) return word as VerbName;
  throw new WardianError('USAGE', `unknown command ${show(word)}`, {
    hint: `it is one of: ${Object.keys(VERB_USAGES).join(', ')}`,
  });
}

function checkOperands(verb: VerbName, usage: VerbUsage, operands: readonly string[]): void {
  const needed = usage.operands.filter((name) => !name.startsWith('['));
  const isOpen = usage.operands.some((name) => name.includes('...'));
  const isRight =
    operands.length >= needed.length && (isOpen || operands.length <= usage.operands.length);
  if (isRight) return;
  const expected = usage.operands.join(' ') || 'nothing';
  throw new WardianError('USAGE', `${verb} takes ${expected}, and got ${operands.length} words`, {
    hint: `see its flags: wardian-runtime ${verb} --help`,
  });
}

function wrong(flag: Flag, problem: string): WardianError {
  return new WardianError('USAGE', `--${flag.name} ${problem}`, {
    hint: 'see what it takes: wardian-runtime help',
  });
}

/** Text of the caller's as an error can hold it. */
function show(text: string): string {
  return JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}...` : text);
}
