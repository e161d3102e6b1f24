import assert from 'node:assert/strict';
import type { CommandResult } from './command-result.ts';

/** A command that must be refused, and how. */
export interface BadCommand {
  readonly name: string;
  readonly command: readonly string[];
  readonly stdin?: Buffer;
  readonly exitCode?: number;
  readonly message: RegExp;
  /** When what the hint says matters; there must be one in any case. */
  readonly hint?: RegExp;
}

/** The exit code, a message and a hint for people, and nothing of a stack. */
export function assertRefused(result: CommandResult, expected: BadCommand): void {
  const { stderr, stdout, exitCode } = result;
  assert.equal(exitCode, expected.exitCode ?? 125, stderr);
  assert.match(stderr, expected.message);
  assert.match(stderr, expected.hint ?? /\n {2}hint: \S/);
  assert.match(stderr, /^wardian: /m);
  assert.doesNotMatch(stderr, /this is a bug|\n\s+at /);
  assert.equal(stdout, '');
}
