import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Resources } from '../../oci/runtime-spec/types.ts';
import { hasErrno, WardianError } from '../../util/errors.ts';
import type { CgroupManager } from '../runtime-context.ts';
import type { HostCgroups } from '../state/container-state.ts';
import { type CgroupPlace, placeCgroup } from './cgroup-path.ts';
import { findHierarchies, type Hierarchy } from './hierarchies.ts';
import { type CgroupWrite, listHostLimits } from './host-limits.ts';
import { writeLimits } from './write-limits.ts';

/** Somebody who removes an empty folder while we go through it; nobody has that much bad luck. */
const MAX_ATTEMPTS = 16;
/** Version 2 hands out to a container what the engines' own figures and limits need, as far as the host has it. */
const VERSION_2_CONTROLLERS = ['cpuset', 'cpu', 'io', 'memory', 'pids', 'hugetlb'];

const NONE: HostCgroups = { directories: [], made: [] };

export interface CgroupRequest {
  /** linux.cgroupsPath. */
  readonly cgroupsPath: string | undefined;
  /** Of the container. */
  readonly id: string;
  readonly resources: Resources;
  readonly manager: CgroupManager;
  /** A user who may not make one, and asks for no limit, goes without. */
  readonly mayBeMissing: boolean;
}

/**
 * Makes the cgroup of a container in every hierarchy of the host and sets its limits, with what its machine needs beside
 * it. Fails with SPEC_INVALID, SPEC_UNSUPPORTED or HOST_PERMISSION, and leaves nothing behind then.
 */
export function createHostCgroups(
  request: CgroupRequest,
  hierarchies?: readonly Hierarchy[],
): HostCgroups {
  if (request.manager === 'disabled') return NONE;
  const place = placeCgroup(request.cgroupsPath, request.id, request.manager);
  const made: string[] = [];
  try {
    const found = hierarchies ?? findHierarchies();
    const directories = found.map((hierarchy) => makeCgroup(hierarchy, place, made));
    setLimits(found, directories, request.resources);
    return { directories, made };
  } catch (error) {
    for (const directory of made.reverse()) removeEmpty(directory);
    if (request.mayBeMissing && isForbidden(error) && !hasLimits(request.resources)) return NONE;
    throw error;
  }
}

/**
 * What `createHostCgroups` will make, so that it can be removed should its caller be killed meanwhile. What it will
 * refuse has none.
 */
export function planHostCgroups(
  request: CgroupRequest,
  hierarchies?: readonly Hierarchy[],
): HostCgroups {
  if (request.manager === 'disabled') return NONE;
  try {
    const place = placeCgroup(request.cgroupsPath, request.id, request.manager);
    const paths = (hierarchies ?? findHierarchies()).map((hierarchy) =>
      listSteps(hierarchy, place),
    );
    // One that is there already is not ours to remove.
    const made = paths.flat().filter((directory) => !existsSync(directory));
    const directories = paths.map((steps) => steps.at(-1) as string);
    return { directories: directories.filter((directory) => made.includes(directory)), made };
  } catch (error) {
    if (error instanceof WardianError) return NONE;
    throw error;
  }
}

/** Changes the limits that `resources` names; the others stay. */
export function updateHostCgroups(
  { directories }: HostCgroups,
  resources: Resources,
  hierarchies?: readonly Hierarchy[],
): void {
  if (directories.length > 0) setLimits(hierarchies ?? findHierarchies(), directories, resources);
}

/** The folder of a controller among those of a container. */
export function findControllerDirectory(
  controller: string,
  directories: readonly string[],
  hierarchies: readonly Hierarchy[],
): string | undefined {
  const hierarchy = hierarchies.find(
    ({ version, controllers }) => version === 2 || controllers.includes(controller),
  );
  return directories.find(
    (directory) => hierarchy !== undefined && directory.startsWith(`${hierarchy.mountPoint}/`),
  );
}

function setLimits(
  hierarchies: readonly Hierarchy[],
  directories: readonly string[],
  resources: Resources,
): void {
  const version = hierarchies[0]?.version ?? 2;
  const writes: CgroupWrite[] = listHostLimits(resources, version);
  writeLimits(writes, (controller) =>
    findControllerDirectory(controller, directories, hierarchies),
  );
}

function isForbidden(error: unknown): boolean {
  return error instanceof WardianError && error.code === 'HOST_PERMISSION';
}

function hasLimits(resources: Resources): boolean {
  return listHostLimits(resources, 2).length > 0;
}

/** Makes the folders down to a container's own, adding to `made` what was not there, and returns that one. */
function makeCgroup(hierarchy: Hierarchy, place: CgroupPlace, made: string[]): string {
  const steps = listSteps(hierarchy, place);
  const directory = steps.at(-1) as string;
  for (let attempt = 1; !makeSteps(hierarchy, steps, made); attempt++) {
    if (attempt === MAX_ATTEMPTS) throw denied(directory, new Error('it vanishes again and again'));
  }
  checkEmpty(directory);
  return directory;
}

/** "/a/b" below a mount point, as the two folders to be there one after the other. */
function listSteps({ mountPoint, ownPath }: Hierarchy, place: CgroupPlace): string[] {
  const base = place.isRelative ? path.posix.join(ownPath, place.path) : place.path;
  const names = base.split('/').filter(Boolean);
  return names.map((_, index) => path.posix.join(mountPoint, ...names.slice(0, index + 1)));
}

/** False when a folder above was removed meanwhile: the last container below it has gone. */
function makeSteps(hierarchy: Hierarchy, steps: readonly string[], made: string[]): boolean {
  let above = hierarchy.mountPoint;
  for (const step of steps) {
    if (hierarchy.version === 2) handOut(above, hierarchy.controllers);
    try {
      mkdirSync(step, { mode: 0o755 });
      if (!made.includes(step)) made.push(step);
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return false;
      if (!hasErrno(error, 'EEXIST')) throw denied(step, error);
    }
    if (hierarchy.controllers.includes('cpuset') && hierarchy.version === 1)
      inheritCpuset(above, step);
    above = step;
  }
  return true;
}

/** Version 1 begins without a processor, and takes no process then (Documentation/admin-guide/cgroup-v1/cpusets.rst). */
function inheritCpuset(parent: string, child: string): void {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    if (readFileSync(`${child}/${file}`, 'utf8').trim() !== '') continue;
    writeFileSync(`${child}/${file}`, readFileSync(`${parent}/${file}`, 'utf8').trim());
  }
}

/**
 * Lets the folders below have the controllers (cgroup.subtree_control). One at a time, since one refused would take the others
 * with it; one that is refused matters only to a limit that needs it, and then its file is missing.
 */
function handOut(directory: string, controllers: readonly string[]): void {
  const file = `${directory}/cgroup.subtree_control`;
  const enabled = readFileSync(file, 'utf8').trim().split(' ');
  for (const name of VERSION_2_CONTROLLERS) {
    if (!controllers.includes(name) || enabled.includes(name)) continue;
    try {
      writeFileSync(file, `+${name}`);
    } catch (error) {
      // ENOENT: not handed down to here; EBUSY: processes live in this folder; EACCES: it is another user's.
      if (!hasErrno(error, 'ENOENT', 'EBUSY', 'EACCES', 'EINVAL', 'EOPNOTSUPP')) throw error;
    }
  }
}

/** What lives there would be killed with the container. */
function checkEmpty(directory: string): void {
  const processes = readFileSync(`${directory}/cgroup.procs`, 'utf8').split('\n').filter(Boolean);
  if (processes.length === 0) return;
  const shown = processes.slice(0, 3).join(', ');
  throw new WardianError(
    'SPEC_INVALID',
    `container's cgroup is not empty: ${directory} has processes, among them ${shown}`,
    { hint: 'give every container a linux.cgroupsPath of its own' },
  );
}

function denied(directory: string, cause: unknown): WardianError {
  const isLongName = hasErrno(cause, 'ENAMETOOLONG', 'EINVAL', 'ENOTDIR');
  return new WardianError(
    isLongName ? 'SPEC_INVALID' : 'HOST_PERMISSION',
    `the cgroup ${directory} cannot be made: ${cause instanceof Error ? cause.message : cause}`,
    { cause, hint: 'choose another linux.cgroupsPath, or do without: --cgroup-manager disabled' },
  );
}

function removeEmpty(directory: string): void {
  try {
    if (existsSync(directory)) rmdirSync(directory);
  } catch {
    // EBUSY, ENOTEMPTY: another container is in it by now, and removes it
  }
}
