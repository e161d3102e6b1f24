import { WardianError } from '../../util/errors.ts';

/** A folder gets the id as its name, and file systems take no longer one (NAME_MAX of limits.h). */
const MAX_ID_BYTES = 255;

/** As runc has it: letters of any case, digits, and `_ + , - .`. */
const ID = /^[\w+,\-.]+$/;

/** True for what `checkContainerId` lets through. */
export function isContainerId(id: string): boolean {
  return ID.test(id) && id.length <= MAX_ID_BYTES && id !== '.' && id !== '..';
}

/** NAME_INVALID unless an id can be a folder's name and nothing but that. */
export function checkContainerId(id: string): void {
  if (isContainerId(id)) return;
  const shown = JSON.stringify(id.length > 64 ? `${id.slice(0, 64)}...` : id);
  const reason = id.length > MAX_ID_BYTES ? `is longer than ${MAX_ID_BYTES} characters` : 'is none';
  throw new WardianError('NAME_INVALID', `invalid container id: ${shown} ${reason}`, {
    hint: 'use letters, digits, and "_", "+", ",", "-" and "."; no "/", and neither "." nor ".." alone',
  });
}
