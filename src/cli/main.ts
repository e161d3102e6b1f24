import { runCommandLine } from './command-line.ts';
import { findVerb } from './verbs.ts';

void runCommandLine(async (first, rest, context) => {
  const verb = findVerb(first);
  if (verb !== undefined) return (await verb.load())(rest, context);
  const { answerWithoutVerb } = await import('./output/without-verb.ts');
  return answerWithoutVerb(first, rest, context);
});
