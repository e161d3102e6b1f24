import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { findCircles } from './circles.ts';

/** The rooms of guest/agent, lowest first. A file may include from its own room and from lower layers; `base` is for all. */
const LAYERS: readonly (readonly string[])[] = [
  ['base'],
  ['protocol', 'rootfs', 'system', 'state'],
  ['process'],
  ['container'],
  ['service'],
];

/** What belongs to no room: main.c opens everything, and tests look everywhere. */
const MAIN = 'main.c';
const TESTS = 'test';

/** CONTRIBUTING.md: "never passes". */
const MOST_LINES = 500;

const INCLUDE = /^#include "([^"]+)"/gm;
/** Made by nanopb, outside of the sources. */
const GENERATED = 'agent.pb.h';

/** One sentence for each breach of the rooms in the agent's C below `folder`, with file and line. */
export function checkAgentRooms(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.[ch]$/.test(file) && roomOf(file) !== TESTS)
    .sort();
  const includes = new Map(files.map((file) => [file, listIncludes(folder, file)]));
  return [
    ...files.flatMap((file) => checkLength(folder, file)),
    ...[...includes].flatMap(([file, found]) =>
      found.flatMap(({ line, target }) =>
        checkInclude(folder, file, target).map((what) => `${file}:${line}: ${what}`),
      ),
    ),
    ...checkCircles(includes),
  ];
}

interface Include {
  readonly line: number;
  readonly target: string;
}

function listIncludes(folder: string, file: string): Include[] {
  const text = readFileSync(path.join(folder, file), 'utf8');
  return [...text.matchAll(INCLUDE)]
    .map((match) => ({
      line: text.slice(0, match.index).split('\n').length,
      target: match[1] as string,
    }))
    .filter(({ target }) => target !== GENERATED);
}

function checkLength(folder: string, file: string): string[] {
  const lines = readFileSync(path.join(folder, file), 'utf8').split('\n').length - 1;
  return lines > MOST_LINES ? [`${file}: ${lines} lines, more than ${MOST_LINES}`] : [];
}

function checkInclude(folder: string, file: string, target: string): string[] {
  if (!existsSync(path.join(folder, target))) return [`${target} is not a file of the agent`];
  const [from, to] = [roomOf(file), roomOf(target)];
  if (file === MAIN || from === to) return [];
  const [fromLayer, toLayer] = [layerOf(from), layerOf(to)];
  if (fromLayer < 0) return [`${from}/ is not a room`];
  if (toLayer < 0) return [`${to}/ is not a room`];
  if (toLayer < fromLayer) return [];
  const direction = toLayer === fromLayer ? 'sideways' : 'up';
  return [`${from}/ must not include from ${to}/ (that goes ${direction})`];
}

/** A header and its source are one: they can only be understood together. */
function checkCircles(includes: ReadonlyMap<string, readonly Include[]>): string[] {
  const graph = new Map<string, string[]>();
  for (const [file, found] of includes) {
    const others = found
      .map(({ target }) => unitOf(target))
      .filter((unit) => unit !== unitOf(file));
    graph.set(unitOf(file), [...(graph.get(unitOf(file)) ?? []), ...others]);
  }
  return findCircles(graph).map((circle) => `${circle.join(' -> ')} is a circle`);
}

function unitOf(file: string): string {
  return file.replace(/\.[ch]$/, '');
}

function roomOf(file: string): string {
  return file.split(path.sep)[0] as string;
}

function layerOf(room: string): number {
  return LAYERS.findIndex((rooms) => rooms.includes(room));
}
