import { WardianError } from '../util/errors.ts';
import { runCommandLine } from './command-line.ts';
import { QUICK_VERBS } from './quick-verbs.ts';

// The entry point of the bundle that has the code of the quick verbs alone; whoever loads it has looked at the verb.
void runCommandLine(async (first, rest, context) => {
  const load = QUICK_VERBS[first];
  if (load === undefined) {
    throw new WardianError('INTERNAL', `the quick bundle has no ${JSON.stringify(first)}`);
  }
  return (await load())(rest, context);
});
