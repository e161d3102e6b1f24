import type { Seccomp, SeccompArgument, SeccompFlag } from '../runtime-spec/types.ts';
import { ERRNO, errnoValue, SECCOMP_RETURN } from './actions.ts';
import { BackwardAssembler, BPF, type Comparison, type Instruction, type Label } from './bpf.ts';
import { collectRules, type Decision, type RuleSet } from './rules.ts';
import { LAST_SYSCALL } from './syscalls.ts';

/** Offsets in `struct seccomp_data`; arguments are 64 bits, little endian. */
const OFFSET = { NUMBER: 0, ARCHITECTURE: 4, ARGUMENTS: 16 } as const;

/** linux/audit.h. */
const AUDIT_ARCH = { X86_64: 0xc000003e, I386: 0x40000003 } as const;

const FLAG_BITS: Readonly<Record<SeccompFlag, number>> = {
  SECCOMP_FILTER_FLAG_TSYNC: 1,
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
  // Says how to wait for a supervisor, which no sandbox has: nothing to set.
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: 0,
};

/** System calls from `first` up to the next range, which all get the same answer. */
interface Range {
  first: number;
  start: Label;
}

/**
 * Compiles linux.seccomp to a filter for x86_64. Neighbouring calls with the same answer become one
 * range, and the ranges are searched in halves: a few comparisons a call, however long the profile.
 * Fails with SPEC_UNSUPPORTED for what needs a supervisor (TRACE, NOTIFY) or more than 4096 instructions.
 */
export function compileSeccomp(seccomp: Seccomp): Instruction[] {
  const ruleSet = collectRules(seccomp);
  const assembler = new BackwardAssembler();
  const search = writeSearch(assembler, writeRanges(assembler, ruleSet));
  return assembler.finish(writeArchitectureCheck(assembler, seccomp, search));
}

/** SECCOMP_FILTER_FLAG_* bits. */
export function seccompFlags(seccomp: Seccomp): number {
  return (seccomp.flags ?? []).reduce((bits, flag) => bits | FLAG_BITS[flag], 0);
}

/**
 * Calls of the 32-bit ABI have other numbers, which these rules cannot judge. A profile that lists the
 * architecture expects such programs: they get ENOSYS, as from a kernel without that ABI. Otherwise they are killed.
 */
function writeArchitectureCheck(
  assembler: BackwardAssembler,
  { architectures = [] }: Seccomp,
  native: Label,
): Label {
  const loadNumber = assembler.load(OFFSET.NUMBER, native);
  const kill = assembler.return(SECCOMP_RETURN.KILL_PROCESS);
  const refuse = assembler.return(errnoValue(ERRNO.ENOSYS));
  const foreign = architectures.includes('SCMP_ARCH_X86')
    ? assembler.jump(BPF.JUMP_EQUAL, AUDIT_ARCH.I386, refuse, kill)
    : kill;
  const check = assembler.jump(BPF.JUMP_EQUAL, AUDIT_ARCH.X86_64, loadNumber, foreign);
  return assembler.load(OFFSET.ARCHITECTURE, check);
}

/**
 * One range for each stretch of numbers with the same code behind it. Numbers above the table get ENOSYS,
 * whatever the default: the rules cannot have meant calls that they could not name, and a
 * C library takes the older call then. All of the x32 ABI (bit 30 set) lies up there too.
 */
function writeRanges(assembler: BackwardAssembler, { decisions, byDefault }: RuleSet): Range[] {
  const starts = new Map<Decision | number, Label>();
  const startOf = (number: number): Label => {
    const decision = decisions.get(number);
    const key = decision === undefined || decision.rules.length > 0 ? decision : decision.otherwise;
    const known = starts.get(key ?? byDefault);
    const start =
      known ?? writeDecision(assembler, decision ?? { rules: [], otherwise: byDefault });
    starts.set(key ?? byDefault, start);
    return start;
  };
  const ranges: Range[] = [];
  for (let number = 0; number <= LAST_SYSCALL; number++) {
    const start = startOf(number);
    if (ranges.at(-1)?.start !== start) ranges.push({ first: number, start });
  }
  ranges.push({ first: LAST_SYSCALL + 1, start: assembler.return(errnoValue(ERRNO.ENOSYS)) });
  return ranges;
}

/** Binary search with the number of the call in the accumulator. */
function writeSearch(assembler: BackwardAssembler, ranges: readonly Range[]): Label {
  const middle = ranges[ranges.length >> 1] as Range;
  if (ranges.length === 1) return middle.start;
  const upper = writeSearch(assembler, ranges.slice(ranges.length >> 1));
  const lower = writeSearch(assembler, ranges.slice(0, ranges.length >> 1));
  return assembler.jump(BPF.JUMP_GREATER_OR_EQUAL, middle.first, upper, lower);
}

/** The rules of one call, first to last; written last to first. */
function writeDecision(assembler: BackwardAssembler, { rules, otherwise }: Decision): Label {
  return rules.reduceRight((no, { conditions, value }) => {
    const match = assembler.return(value);
    return conditions.reduceRight(
      (yes, condition) => writeCondition(assembler, condition, { yes, no }),
      match,
    );
  }, assembler.return(otherwise));
}

/** Where to go on. */
interface Branches {
  readonly yes: Label;
  readonly no: Label;
}

function writeCondition(
  assembler: BackwardAssembler,
  { op, index, value, valueTwo = 0n }: SeccompArgument,
  branches: Branches,
): Label {
  const writer = new ArgumentWriter(assembler, OFFSET.ARGUMENTS + 8 * index);
  const swapped = { yes: branches.no, no: branches.yes };
  switch (op) {
    case 'SCMP_CMP_EQ':
      return writer.equal(value, branches);
    case 'SCMP_CMP_NE':
      return writer.equal(value, swapped);
    case 'SCMP_CMP_GT':
      return writer.greater(BPF.JUMP_GREATER, value, branches);
    case 'SCMP_CMP_LE':
      return writer.greater(BPF.JUMP_GREATER, value, swapped);
    case 'SCMP_CMP_GE':
      return writer.greater(BPF.JUMP_GREATER_OR_EQUAL, value, branches);
    case 'SCMP_CMP_LT':
      return writer.greater(BPF.JUMP_GREATER_OR_EQUAL, value, swapped);
    case 'SCMP_CMP_MASKED_EQ':
      return writer.masked(value, valueTwo, branches);
  }
}

/** Compares one 64-bit argument, of which BPF sees 32 bits at a time. */
class ArgumentWriter {
  readonly #assembler: BackwardAssembler;
  readonly #offset: number;

  constructor(assembler: BackwardAssembler, offset: number) {
    this.#assembler = assembler;
    this.#offset = offset;
  }

  equal(value: bigint, { yes, no }: Branches): Label {
    const { high, low } = split(value);
    const lowTest = this.#assembler.jump(BPF.JUMP_EQUAL, low, yes, no);
    const loadLow = this.#assembler.load(this.#offset, lowTest);
    const highTest = this.#assembler.jump(BPF.JUMP_EQUAL, high, loadLow, no);
    return this.#assembler.load(this.#offset + 4, highTest);
  }

  /** `comparison` is for the low half; the high halves must be equal to come to it. */
  greater(comparison: Comparison, value: bigint, { yes, no }: Branches): Label {
    const { high, low } = split(value);
    const lowTest = this.#assembler.jump(comparison, low, yes, no);
    const loadLow = this.#assembler.load(this.#offset, lowTest);
    const highEqual = this.#assembler.jump(BPF.JUMP_EQUAL, high, loadLow, no);
    const highTest = this.#assembler.jump(BPF.JUMP_GREATER, high, yes, highEqual);
    return this.#assembler.load(this.#offset + 4, highTest);
  }

  masked(mask: bigint, value: bigint, { yes, no }: Branches): Label {
    const masks = split(mask);
    const values = split(value);
    const low = { mask: masks.low, value: values.low, offset: this.#offset };
    const high = { mask: masks.high, value: values.high, offset: this.#offset + 4 };
    return this.#maskedHalf(high, { yes: this.#maskedHalf(low, { yes, no }), no });
  }

  #maskedHalf(half: { mask: number; value: number; offset: number }, branches: Branches): Label {
    const { yes, no } = branches;
    // Most masks are of one half only; the other then needs no look.
    if (half.mask === 0) return half.value === 0 ? yes : no;
    const test = this.#assembler.jump(BPF.JUMP_EQUAL, half.value, yes, no);
    return this.#assembler.load(half.offset, this.#assembler.and(half.mask, test));
  }
}

function split(value: bigint): { high: number; low: number } {
  return { high: Number(value >> 32n), low: Number(value & 0xffffffffn) };
}
