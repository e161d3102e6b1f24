import type { ContainerSummary } from '../../sandboxer/api.ts';
import { WardianError } from '../../util/errors.ts';
import { splitPair } from '../arguments/values.ts';

type Test = (container: ContainerSummary) => boolean;

/** What each key of --filter asks; several values of one key are alternatives, labels are not. */
const TESTS: Readonly<Record<string, (value: string) => Test>> = {
  name: (value) => {
    const pattern = compilePattern(value);
    return ({ name }) => pattern.test(name);
  },
  id:
    (value) =>
    ({ id }) =>
      id.startsWith(value),
  status: (value) => {
    if (!['created', 'running', 'exited'].includes(value)) {
      throw new WardianError('USAGE', `--filter status cannot be ${JSON.stringify(value)}`, {
        hint: 'it is created, running or exited',
      });
    }
    return ({ status }) => status === value;
  },
  exited:
    (value) =>
    ({ status, exitCode }) =>
      status === 'exited' && String(exitCode) === value,
  label: (pair) => {
    const { name, value } = splitPair(pair);
    return ({ labels }) =>
      Object.hasOwn(labels, name) && (value === undefined || labels[name] === value);
  },
};

/** Reads --filter as podman does. `wantsEnded`: containers that do not run are asked for, too. */
export function parseFilters(texts: readonly string[]): { matches: Test; wantsEnded: boolean } {
  const groups = new Map<string, Test[]>();
  let wantsEnded = false;
  for (const text of texts) {
    const { name: key, value } = splitPair(text);
    const createTest = Object.hasOwn(TESTS, key) ? TESTS[key] : undefined;
    if (createTest === undefined || value === undefined) {
      throw new WardianError('USAGE', `--filter ${JSON.stringify(text)} is not understood`, {
        hint: `write KEY=VALUE; the keys are ${Object.keys(TESTS).join(', ')}`,
      });
    }
    if (key === 'exited' || (key === 'status' && value !== 'running')) wantsEnded = true;
    const group = key === 'label' ? text : key;
    groups.set(group, [...(groups.get(group) ?? []), createTest(value)]);
  }
  const matches: Test = (container) =>
    [...groups.values()].every((tests) => tests.some((test) => test(container)));
  return { matches, wantsEnded };
}

function compilePattern(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (cause) {
    throw new WardianError('USAGE', `--filter name: ${JSON.stringify(text)} is not a pattern`, {
      cause,
    });
  }
}
