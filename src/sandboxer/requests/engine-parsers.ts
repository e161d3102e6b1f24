import path from 'node:path';
import type {
  ContainerShare,
  CreateContainerRequest,
  ExecContainerRequest,
  StubProcess,
} from '../engine-api.ts';
import {
  checkText,
  type Fields,
  requireId,
  requireInteger,
  requireList,
  requireObject,
  requireText,
  wrong,
} from './fields.ts';
import { parseNetwork } from './parse-network.ts';

/** As much as the reader of config.json takes; of what else is JSON in a request, too. */
const MAX_JSON_CHARACTERS = 4 * 1024 * 1024;
/** As many mounts as a specification may have. */
const MAX_BINDS = 4096;
/** One for each hierarchy of version 1, of which kernels know about a dozen. */
const MAX_CGROUPS = 64;
/** PID_MAX_LIMIT of 64-bit kernels. */
const MAX_PID = 2 ** 22;
/** Of a folder or file in a share: one component, which cannot lead elsewhere. */
const ENTRY_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;
const TICKS = /^\d{1,20}$/;

/** Checks what an engine's container is to be made of. */
export function parseCreateContainer(value: unknown): CreateContainerRequest {
  const fields = requireObject(value, 'request');
  const { network, sandbox } = fields;
  return {
    id: requireId(fields['id'], 'id'),
    name: requireText(fields, 'name'),
    spec: requireJsonText(fields, 'spec'),
    share: parseShare(fields['share']),
    stub: parseStub(fields['stub']),
    cgroupDirectories: parseCgroups(fields['cgroupDirectories']),
    ...(network === undefined ? {} : { network: parseNetwork(network) }),
    ...(sandbox === undefined ? {} : { sandbox: requireId(sandbox, 'sandbox') }),
    hookState: requireJsonText(fields, 'hookState'),
  };
}

/** Checks what process is to be started in an engine's container. */
export function parseExecContainer(value: unknown): ExecContainerRequest {
  const fields = requireObject(value, 'request');
  return {
    container: requireId(fields['container'], 'container'),
    execId: requireId(fields['execId'], 'execId'),
    process: requireJsonText(fields, 'process'),
    stub: parseStub(fields['stub']),
  };
}

/** Checks which container of an engine gets other limits. */
export function parseUpdateContainer(value: unknown): { container: string; resources: string } {
  const fields = requireObject(value, 'request');
  return {
    container: requireId(fields['container'], 'container'),
    resources: requireJsonText(fields, 'resources'),
  };
}

/** Checks which container of an engine is meant: there are no names and no beginnings of ids. */
export function parseEngineReference(value: unknown): { container: string } {
  return { container: requireId(requireObject(value, 'request')['container'], 'container') };
}

function requireJsonText(fields: Fields, field: string): string {
  const value = fields[field];
  if (typeof value !== 'string') throw wrong(field, 'must be a text');
  if (value.length <= MAX_JSON_CHARACTERS) return value;
  throw wrong(field, `is longer than ${MAX_JSON_CHARACTERS} characters`);
}

function parseShare(value: unknown): ContainerShare {
  const fields = requireObject(value, 'share');
  const { binds } = fields;
  if (!Array.isArray(binds)) throw wrong('share.binds', 'must be a list');
  if (binds.length > MAX_BINDS) throw wrong('share.binds', `has more than ${MAX_BINDS} items`);
  return {
    directory: requireAbsolute(fields['directory'], 'share.directory'),
    folder: requireEntry(fields['folder'], 'share.folder'),
    binds: binds.map((item, index) => {
      const bind = requireObject(item, `share.binds[${index}]`);
      return {
        mount: requireInteger(bind['mount'], `share.binds[${index}].mount`, [0, MAX_BINDS - 1]),
        name: requireEntry(bind['name'], `share.binds[${index}].name`),
      };
    }),
  };
}

function parseStub(value: unknown): StubProcess {
  const { pid, startTicks } = requireObject(value, 'stub');
  if (typeof startTicks !== 'string' || !TICKS.test(startTicks)) {
    throw wrong('stub.startTicks', 'must be a number as a text');
  }
  return { pid: requireInteger(pid, 'stub.pid', [1, MAX_PID]), startTicks };
}

function parseCgroups(value: unknown): string[] {
  const list = requireList(value, 'cgroupDirectories');
  if (list.length > MAX_CGROUPS) {
    throw wrong('cgroupDirectories', `has more than ${MAX_CGROUPS} items`);
  }
  return list.map((item, index) => requireAbsolute(item, `cgroupDirectories[${index}]`));
}

function requireAbsolute(value: unknown, field: string): string {
  const text = checkText(value, field);
  if (path.isAbsolute(text)) return text;
  throw wrong(field, 'must be an absolute path');
}

function requireEntry(value: unknown, field: string): string {
  if (typeof value === 'string' && ENTRY_NAME.test(value)) return value;
  throw wrong(field, 'must be the name of a file');
}
