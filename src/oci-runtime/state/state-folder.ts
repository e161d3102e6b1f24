import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { ensurePrivateDirectory } from '../../host/directories.ts';
import { getOwnIdentity, isProcessAlive } from '../../host/process-identity.ts';
import { hasErrno, nameFullDisk, WardianError } from '../../util/errors.ts';
import { checkContainerId, isContainerId } from './container-id.ts';
import { type ContainerState, STATE_VERSION } from './container-state.ts';

const STATE_FILE = 'state.json';
/** The bundle's config.json as it was when the container was made: bundles change and go. */
const CONFIG_FILE = 'config.json';
/** Where the stub mounts what the sandbox may see. */
const SHARE_FOLDER = 'share';
/** One empty file for each process that `exec` started, named after its stub. */
const EXEC_FOLDER = 'execs';
const LOCK_FILE = 'lock';

/** Of files that engines read, whoever they are. */
export const PUBLIC_FILE_MODE = 0o644;

/** Folders that are still being filled have a character in their names that no id has. */
const DRAFT = /^:(\d{1,10})\.(\d{1,20})$/;

/** A state file has the paths and annotations of one container. */
const MAX_STATE_BYTES = 8 * 1024 * 1024;

/** The paths of one container's folder. */
export interface ContainerFolder {
  readonly path: string;
  readonly state: string;
  readonly config: string;
  readonly share: string;
  readonly execs: string;
  readonly lock: string;
}

/** Where a container's files are; NAME_INVALID when the id is none. */
export function getContainerFolder(root: string, id: string): ContainerFolder {
  checkContainerId(id);
  return describeFolder(`${root}/${id}`);
}

/**
 * Makes the folder of a container, with its state and configuration in it, in one step: others see all of it or
 * nothing. Fails with NAME_IN_USE when there is one.
 */
export function createContainerFolder(
  root: string,
  state: ContainerState,
  config: string,
): ContainerFolder {
  const folder = getContainerFolder(root, state.id);
  ensurePrivateDirectory(root);
  const draft = describeFolder(nameDraft(root));
  rmSync(draft.path, { recursive: true, force: true });
  try {
    mkdirSync(draft.path, { mode: 0o700 });
    mkdirSync(draft.share, { mode: 0o700 });
    mkdirSync(draft.execs, { mode: 0o700 });
    writePrivateFile(draft.config, config);
    writePrivateFile(draft.state, JSON.stringify(state));
    renameSync(draft.path, folder.path);
    return folder;
  } catch (error) {
    rmSync(draft.path, { recursive: true, force: true });
    if (!hasErrno(error, 'ENOTEMPTY', 'EEXIST', 'ENOTDIR')) throw nameFullDisk(error, root);
    throw new WardianError('NAME_IN_USE', `container with id exists already: "${state.id}"`, {
      hint: 'choose another id, or delete that one first',
    });
  }
}

/** Removes a container's folder, from one moment to the next: others wait for its lock, and put files in it for that. */
export function removeContainerFolder(root: string, { path }: ContainerFolder): void {
  const draft = nameDraft(root);
  rmSync(draft, { recursive: true, force: true });
  try {
    renameSync(path, draft);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return; // gone already
    throw error;
  }
  rmSync(draft, { recursive: true, force: true });
}

/** Replaces the state; a reader, or a crash, meets the old one or the new one. */
export function writeState(folder: ContainerFolder, state: ContainerState): void {
  replaceFile(folder.state, JSON.stringify(state));
}

/** The state of a container; CONTAINER_NOT_FOUND when there is none. */
export function readState(folder: ContainerFolder, id: string): ContainerState {
  const text = readStateText(folder);
  if (text === undefined) {
    throw new WardianError('CONTAINER_NOT_FOUND', `container "${id}" does not exist`, {
      hint: 'list those that do, with the same --root: wardian-runtime list',
    });
  }
  return parseState(folder, text);
}

/** Ids of all containers below `root`, in order; those that are being made count. */
export function listContainerIds(root: string): string[] {
  try {
    return readdirSync(root).filter(isContainerId).sort();
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

/** Removes folders whose makers died before they could give them their names. */
export function removeDrafts(root: string): void {
  const names = existsSync(root) ? readdirSync(root) : [];
  const { bootId } = getOwnIdentity();
  for (const name of names) {
    const [, pid, startTime] = DRAFT.exec(name) ?? [];
    if (pid === undefined || startTime === undefined) continue;
    if (isProcessAlive({ pid: Number(pid), startTime, bootId })) continue;
    rmSync(`${root}/${name}`, { recursive: true, force: true });
  }
}

/** Replaces a file that engines read; at a crash it is there whole or not at all. */
export function replaceFile(filePath: string, content: string, mode = 0o600): void {
  const end = filePath.lastIndexOf('/') + 1;
  const draft = `${filePath.slice(0, end)}.${filePath.slice(end)}.${process.pid}.tmp`;
  try {
    writePrivateFile(draft, content, mode);
    renameSync(draft, filePath);
  } catch (error) {
    rmSync(draft, { force: true });
    throw nameFullDisk(error, filePath.slice(0, end));
  }
}

/** What this process has in hand below a root. */
function nameDraft(root: string): string {
  const { pid, startTime } = getOwnIdentity();
  return `${root}/:${pid}.${startTime}`;
}

function describeFolder(path: string): ContainerFolder {
  return {
    path,
    state: `${path}/${STATE_FILE}`,
    config: `${path}/${CONFIG_FILE}`,
    share: `${path}/${SHARE_FOLDER}`,
    execs: `${path}/${EXEC_FOLDER}`,
    lock: `${path}/${LOCK_FILE}`,
  };
}

function writePrivateFile(filePath: string, content: string, mode = 0o600): void {
  const descriptor = openSync(filePath, 'wx', mode);
  try {
    writeFileSync(descriptor, content);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function readStateText(folder: ContainerFolder): string | undefined {
  try {
    return readFileSync(folder.state, 'utf8');
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

function parseState(folder: ContainerFolder, text: string): ContainerState {
  const state = text.length > MAX_STATE_BYTES ? undefined : parseObject(text);
  if (state?.version === STATE_VERSION && typeof state.key === 'string') return state;
  throw new WardianError('STATE_CORRUPT', `${folder.state} is not a state of this version`, {
    hint: `when nothing of that container runs, remove ${folder.path}`,
  });
}

function parseObject(text: string): ContainerState | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as ContainerState) : undefined;
  } catch {
    return undefined; // Said by the caller, with the path.
  }
}
