import { GUEST_NAMES, type GuestName } from '../../template/guest.ts';
import type { ResourceLimits, RunRequest } from '../api.ts';
import {
  checkText,
  optionalList,
  optionalText,
  parseProcessFields,
  requireBoolean,
  requireId,
  requireInteger,
  requireNumber,
  requireObject,
  requireSignal,
  requireText,
  wrong,
} from './fields.ts';

/** Less holds no process, and more no host. */
const MEMORY_RANGE = [4 * 2 ** 20, 2 ** 44] as const;

/** Checks a run request field by field: whatever connects to the socket may send anything. */
export function parseRunRequest(value: unknown): RunRequest {
  const fields = requireObject(value, 'request');
  if (fields['network'] !== 'none') throw wrong('network', 'can only be "none" for now');
  return {
    id: requireId(fields['id'], 'id'),
    image: requireText(fields, 'image'),
    ...optionalText(fields, 'name'),
    ...optionalList(fields, 'command'),
    ...optionalList(fields, 'entrypoint'),
    ...parseProcessFields(fields),
    ...optionalText(fields, 'hostname'),
    autoRemove: requireBoolean(fields, 'autoRemove'),
    readOnly: requireBoolean(fields, 'readOnly'),
    tmpfs: parseTmpfs(fields['tmpfs']),
    network: 'none',
    labels: parseLabels(fields['labels']),
    ...parseStopSignal(fields['stopSignal']),
    limits: parseLimits(fields['limits']),
    template: requireBoolean(fields, 'template'),
    ...parseGuest(fields['guest']),
    ...parseTrace(fields['trace']),
  };
}

/** Checks limits: positive, and no more than a machine can have. */
export function parseLimits(value: unknown): ResourceLimits {
  const fields = requireObject(value, 'limits');
  const limits: ResourceLimits = {};
  const { cpus, memoryBytes, pids } = fields;
  if (cpus !== undefined) limits.cpus = requireNumber(cpus, 'limits.cpus', [0.01, 255]);
  if (memoryBytes !== undefined) {
    limits.memoryBytes = requireInteger(memoryBytes, 'a memory limit in bytes', MEMORY_RANGE);
  }
  if (pids !== undefined) limits.pids = requireInteger(pids, 'limits.pids', [1, 4_194_304]);
  return limits;
}

/** Checks the name of a guest, where one is asked for. */
export function parseGuest(value: unknown): { guest?: GuestName } {
  if (value === undefined) return {};
  const guest = GUEST_NAMES.find((name) => name === value);
  if (guest === undefined) throw wrong('guest', `must be ${GUEST_NAMES.join(' or ')}`);
  return { guest };
}

function parseTmpfs(value: unknown): { destination: string; options: string }[] {
  if (!Array.isArray(value)) throw wrong('tmpfs', 'must be a list');
  return value.map((item, index) => {
    const fields = requireObject(item, `tmpfs[${index}]`);
    const destination = requireText(fields, 'destination');
    if (!destination.startsWith('/'))
      throw wrong(`tmpfs[${index}].destination`, 'must be absolute');
    return { destination, options: requireText(fields, 'options') };
  });
}

function parseLabels(value: unknown): Record<string, string> {
  const entries = Object.entries(requireObject(value, 'labels'));
  return Object.fromEntries(
    entries.map(([key, text]) => [key, checkText(text, `labels.${key.slice(0, 80)}`)]),
  );
}

function parseTrace(value: unknown): { trace?: boolean } {
  if (value === undefined) return {};
  if (typeof value !== 'boolean') throw wrong('trace', 'must be true or false');
  return { trace: value };
}

function parseStopSignal(value: unknown): { stopSignal?: number } {
  if (value === undefined) return {};
  return { stopSignal: requireSignal(value, 'stopSignal') };
}
