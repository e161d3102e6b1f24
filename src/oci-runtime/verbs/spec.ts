import { writeFileSync } from 'node:fs';
import { parseJson } from '../../oci/runtime-spec/json.ts';
import { formatSpec } from '../../oci/runtime-spec/parse.ts';
import { hasErrno, WardianError } from '../../util/errors.ts';
import { buildDefaultSpec } from '../documents/default-spec.ts';
import { toAbsolute } from '../paths.ts';
import type { Verb } from '../runtime-context.ts';

/** `spec [--bundle DIR] [--rootless]`: writes a config.json to begin with; one that is there stays. */
export const spec: Verb = async ({ flags, context }) => {
  const bundle = toAbsolute(flags.getText('bundle') ?? '.', context.workingDirectory);
  const file = `${bundle}/config.json`;
  // Its numbers are all small: JSON's own indentation will do.
  const text = formatSpec(buildDefaultSpec({ isRootless: flags.isSet('rootless') }));
  try {
    writeFileSync(file, `${JSON.stringify(parseJson(text), undefined, 2)}\n`, {
      flag: 'wx',
      mode: 0o666,
    });
  } catch (error) {
    if (!hasErrno(error, 'EEXIST')) throw error;
    throw new WardianError('NAME_IN_USE', `${file} exists already`, {
      hint: 'remove it first, or name another folder: --bundle',
    });
  }
  return 0;
};
