import { closeSync, openSync, writeSync } from 'node:fs';
import { WardianError } from '../../src/util/errors.ts';
import { CommandFailed, run } from '../support/run.ts';

export interface LoggedOptions {
  readonly directory?: string;
  /** Added to this process's own. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly onLine?: (line: string) => void;
}

interface DiskOptions {
  /** Asked when the program failed: false when there is no space left, which compilers seldom say clearly. */
  readonly hasSpace?: () => boolean;
}

/** Whatever the user's shell has: messages in English, dates in UTC, and nothing that would change what is compiled. */
const ENVIRONMENT = { LC_ALL: 'C', TZ: 'UTC' };
const FOREIGN_VARIABLES = [
  'ARCH',
  'CC',
  'CFLAGS',
  'CPPFLAGS',
  'CROSS_COMPILE',
  'CXXFLAGS',
  'KCFLAGS',
  'LDFLAGS',
  'MAKEFLAGS',
  'O',
];

/** Runs a program, appends its output to the log, and names the log when it fails. */
export async function runLogged(
  argv: readonly string[],
  log: string,
  options: LoggedOptions & DiskOptions,
): Promise<void> {
  const descriptor = openSync(log, 'a');
  const { directory } = options;
  try {
    writeSync(descriptor, `$ ${argv.join(' ')}\n`);
    await run(argv, {
      ...(directory !== undefined && { directory }),
      environment: cleanEnvironment(options.environment),
      hint: `the whole output is in ${log}; the next build goes on where this one ended`,
      onLine: (line) => {
        writeSync(descriptor, `${line}\n`);
        options.onLine?.(line);
      },
    });
  } catch (error) {
    throw options.hasSpace?.() === false ? describeFullDisk(log, error) : error;
  } finally {
    closeSync(descriptor);
  }
}

function cleanEnvironment(added: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !FOREIGN_VARIABLES.includes(name));
  return { ...Object.fromEntries(own), ...ENVIRONMENT, ...added };
}

function describeFullDisk(log: string, cause: unknown): WardianError {
  const said = cause instanceof CommandFailed ? cause : undefined;
  return new WardianError('HOST_NO_SPACE', `no space is left for ${log} and what is built there`, {
    cause: said ?? cause,
    hint: 'free some space; the next build goes on where this one ended',
  });
}
