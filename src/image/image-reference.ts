import { WardianError } from '../util/errors.ts';

const DEFAULT_TAG = 'latest';
const LOCAL = 'localhost';
const DOCKER_HUB = 'docker.io';

/** Long enough for every registry; also the bound of what we match below. */
const MAX_REFERENCE_LENGTH = 512;

/** Grammar of names: github.com/distribution/reference, as all engines use it. */
const COMPONENT = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const REGISTRY =
  '(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?|\\[[0-9a-fA-F:]+\\](?::[0-9]{1,5})?)';
const REPOSITORY = new RegExp(`^(?:${REGISTRY}/)?${COMPONENT}(?:/${COMPONENT})*$`);
const TAG = /^\w[\w.-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** An image's name taken apart. */
export interface ImageName {
  /** As it was written: `busybox`, `quay.io/org/app`. */
  readonly repository: string;
  readonly tag: string;
  readonly digest: string | undefined;
}

/** Parses `[registry/]repository[:tag][@digest]`; undefined when it is none. */
export function parseImageName(text: string): ImageName | undefined {
  if (text.length > MAX_REFERENCE_LENGTH) return undefined;
  const [named = '', digest, ...more] = text.split('@');
  if (more.length > 0 || (digest !== undefined && !DIGEST.test(digest))) return undefined;
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1);
  const repository = colon < 0 ? named : named.slice(0, colon);
  const tag = colon < 0 ? DEFAULT_TAG : named.slice(colon + 1);
  if (!REPOSITORY.test(repository) || !TAG.test(tag)) return undefined;
  return { repository, tag, digest };
}

/** The full name that a user gives an image: without a registry it is of this machine. */
export function nameFromUser(text: string): string {
  const name = parseImageName(text);
  if (name !== undefined && name.digest === undefined) return qualify(name, LOCAL);
  throw new WardianError('NAME_INVALID', `${JSON.stringify(text)} is not a name for an image`, {
    hint: 'names look like app, team/app:1.2 or registry.example/team/app:1.2, in lower case',
  });
}

/** The full name of what Docker calls so: without a registry it is Docker Hub's. */
export function nameFromDocker(text: string): string {
  const name = parseImageName(text);
  if (name !== undefined) return qualify(name, DOCKER_HUB);
  throw new WardianError('IMAGE_INVALID', `the archive names an image ${quote(text)}`, {
    hint: 'that is no image name; save the image again under a valid one',
  });
}

/**
 * The full name for a reference annotation, which may be a whole name or a tag only. `baseName` stands for the
 * repository then. Undefined when no name can be made of it: the image stays without one, reachable by its id.
 */
export function nameFromAnnotation(text: string, baseName: string): string | undefined {
  const isTag = !/[:/]/.test(text) && TAG.test(text);
  const name = parseImageName(isTag ? `${baseName.toLowerCase()}:${text}` : text);
  return name === undefined ? undefined : qualify(name, LOCAL);
}

/** The full names that a reference may stand for, best first: this machine's, then Docker Hub's, as podman looks. */
export function listFullNames({ repository, tag }: ImageName): string[] {
  if (hasRegistry(repository)) return [`${expandHub(repository)}:${tag}`];
  return [`${LOCAL}/${repository}:${tag}`, `${expandHub(`${DOCKER_HUB}/${repository}`)}:${tag}`];
}

/** The hex of an id or of the beginning of one (`sha256:` before it is allowed); undefined when it is none. */
export function parseIdPrefix(text: string): string | undefined {
  const match = /^(?:sha256:)?([0-9a-f]{3,64})$/.exec(text);
  return match?.[1];
}

function qualify({ repository, tag }: ImageName, registry: string): string {
  const full = hasRegistry(repository) ? repository : `${registry}/${repository}`;
  return `${expandHub(full)}:${tag}`;
}

/** `docker.io/busybox` is short for `docker.io/library/busybox`. */
function expandHub(repository: string): string {
  const match = /^docker\.io\/([^/]+)$/.exec(repository);
  return match === null ? repository : `${DOCKER_HUB}/library/${match[1]}`;
}

/** The first part is a registry when it could be a host: a dot, a port, or localhost. */
function hasRegistry(repository: string): boolean {
  const slash = repository.indexOf('/');
  if (slash < 0) return false;
  const first = repository.slice(0, slash);
  return /[.:[]/.test(first) || first === LOCAL;
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 200));
}
