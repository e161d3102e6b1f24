import type { Seccomp, SeccompArgument, SeccompSyscall } from '../runtime-spec/types.ts';
import { actionValue } from './actions.ts';
import { syscallNumber } from './syscalls.ts';

/** All conditions hold: return `value`. */
export interface Rule {
  conditions: readonly SeccompArgument[];
  value: number;
}

/** What to do for one system call: the first rule that matches, otherwise `otherwise`. */
export interface Decision {
  rules: readonly Rule[];
  otherwise: number;
}

export interface RuleSet {
  /** By system call number; calls that are not here get `byDefault`. */
  decisions: ReadonlyMap<number, Decision>;
  byDefault: number;
}

/**
 * Gathers the rules of each call, with libseccomp's meaning where the specification has none:
 * a rule without conditions decides alone, whatever else is said about the call, and conditional rules are tried
 * in order. Names that x86_64 does not have are passed over, since profiles are written for all
 * architectures at once.
 */
export function collectRules(seccomp: Seccomp): RuleSet {
  const byDefault = actionValue(
    seccomp.defaultAction,
    seccomp.defaultErrnoRet,
    'linux.seccomp.defaultAction',
  );
  const rulesByNumber = new Map<number, Rule[]>();
  for (const [index, syscall] of (seccomp.syscalls ?? []).entries()) {
    const rules = rulesOf(syscall, `linux.seccomp.syscalls[${index}]`);
    for (const number of numbersOf(syscall)) {
      const known = rulesByNumber.get(number);
      if (known === undefined) rulesByNumber.set(number, [...rules]);
      else known.push(...rules);
    }
  }
  const decisions = new Map<number, Decision>();
  for (const [number, rules] of rulesByNumber) decisions.set(number, decide(rules, byDefault));
  return { decisions, byDefault };
}

/** What a filter made of `ruleSet` must return for a call of the native ABI: the meaning, written plainly. */
export function evaluate(ruleSet: RuleSet, number: number, args: readonly bigint[]): number {
  const decision = ruleSet.decisions.get(number);
  if (decision === undefined) return ruleSet.byDefault;
  const match = decision.rules.find(({ conditions }) =>
    conditions.every((condition) => holds(condition, args[condition.index] ?? 0n)),
  );
  return match?.value ?? decision.otherwise;
}

function holds({ op, value, valueTwo = 0n }: SeccompArgument, argument: bigint): boolean {
  switch (op) {
    case 'SCMP_CMP_EQ':
      return argument === value;
    case 'SCMP_CMP_NE':
      return argument !== value;
    case 'SCMP_CMP_LT':
      return argument < value;
    case 'SCMP_CMP_LE':
      return argument <= value;
    case 'SCMP_CMP_GE':
      return argument >= value;
    case 'SCMP_CMP_GT':
      return argument > value;
    case 'SCMP_CMP_MASKED_EQ':
      return (argument & value) === valueTwo;
  }
}

function numbersOf(syscall: SeccompSyscall): Set<number> {
  return new Set(syscall.names.flatMap((name) => syscallNumber(name) ?? []));
}

function rulesOf(syscall: SeccompSyscall, path: string): Rule[] {
  const value = actionValue(syscall.action, syscall.errnoRet, `${path}.action`);
  const conditions = syscall.args ?? [];
  const indexes = new Set(conditions.map(({ index }) => index));
  // Two conditions on one argument are alternatives, by a habit of runc that profiles rely on.
  if (indexes.size < conditions.length) {
    return conditions.map((condition) => ({ conditions: [condition], value }));
  }
  return [{ conditions, value }];
}

function decide(rules: readonly Rule[], byDefault: number): Decision {
  // A rule that says what the default says anyway is no rule: engines do not pass it on to libseccomp.
  const telling = rules.filter(({ value }) => value !== byDefault);
  const unconditional = telling.find(({ conditions }) => conditions.length === 0);
  if (unconditional !== undefined) return { rules: [], otherwise: unconditional.value };
  return { rules: telling, otherwise: byDefault };
}
