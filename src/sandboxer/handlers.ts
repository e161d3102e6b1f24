import { WardianError } from '../util/errors.ts';
import { VERSION } from '../util/version.ts';
import type { SandboxerInfo, SandboxerMethods, SandboxerStreams } from './api.ts';
import type { ServerHandlers, ServerStream } from './connection/server-connection.ts';
import type { EngineMethods } from './engine-api.ts';
import { REQUEST_PARSERS } from './requests/request-parsers.ts';
import type { Sandboxer } from './sandboxer.ts';

type Unary = {
  [M in keyof SandboxerMethods]: (
    request: SandboxerMethods[M]['request'],
    signal: AbortSignal,
  ) => Promise<SandboxerMethods[M]['response']>;
};

type Streams = {
  [M in keyof SandboxerStreams]: (
    request: SandboxerStreams[M]['request'],
    stream: ServerStream,
  ) => Promise<SandboxerStreams[M]['response']>;
};

/** What the handlers need beside the containers. */
export interface Surroundings {
  describe(): Promise<Omit<SandboxerInfo, 'version' | 'pid' | 'provisional' | 'containers'>>;
  readonly isProvisional: boolean;
  drainPool(): Promise<void>;
  /** Asks the process to leave once this call is answered. */
  leave(): void;
}

/** The sandboxer's API as a table: one line a method. */
export function createHandlers(sandboxer: Sandboxer, surroundings: Surroundings): ServerHandlers {
  const unary: Unary = {
    hello: async () => ({
      version: VERSION,
      pid: process.pid,
      provisional: surroundings.isProvisional,
    }),
    run: (request, signal) => sandboxer.run(request, signal),
    exec: (request) => sandboxer.exec(request),
    list: async ({ all }) => ({ containers: sandboxer.list(all) }),
    inspect: async ({ container }) => sandboxer.inspect(container),
    stop: ({ container, timeoutMs }) => answerEmpty(sandboxer.stop(container, timeoutMs)),
    kill: (request) => answerEmpty(sandboxer.kill(request)),
    remove: ({ container, force, timeoutMs }) =>
      answerEmpty(sandboxer.remove(container, force, timeoutMs)),
    wait: async ({ container }) => ({ exitCode: await sandboxer.wait(container) }),
    resize: ({ container, execId, rows, columns }) =>
      answerEmpty(sandboxer.resize(container, rows, columns, execId)),
    stats: ({ container }) => sandboxer.stats(container),
    info: () => getInfo(sandboxer, surroundings),
    prepareTemplate: (request, signal) => sandboxer.prepareTemplate(request, signal),
    drainPool: () => answerEmpty(surroundings.drainPool()),
    ...createEngineHandlers(sandboxer),
    shutdown: async ({ force }) => shutDown(sandboxer, surroundings, force),
  };
  const streams: Streams = {
    attach: (request, stream) => sandboxer.attach(request, stream),
    logs: (request, stream) => answerEmpty(sandboxer.logs(request, stream)),
  };
  return {
    unary: async (method, request, signal) => {
      const handle = findMethod(unary, method);
      return handle(parseRequest(method, request), signal);
    },
    stream: async (method, request, stream) => {
      const handle = findMethod(streams, method);
      return handle(parseRequest(method, request), stream);
    },
  };
}

type EngineHandlers = { [M in keyof EngineMethods]: Unary[M] };

function createEngineHandlers({ engine }: Sandboxer): EngineHandlers {
  return {
    createContainer: (request, signal) => engine.create(request, signal),
    startContainer: ({ container }) => answerEmpty(engine.start(container)),
    deleteContainer: ({ container }) => answerEmpty(engine.delete(container)),
    execContainer: (request) => engine.exec(request),
    pauseContainer: ({ container }) => answerEmpty(engine.setPaused(container, true)),
    resumeContainer: ({ container }) => answerEmpty(engine.setPaused(container, false)),
    updateContainer: ({ container, resources }) => answerEmpty(engine.update(container, resources)),
  };
}

function findMethod<Table extends object>(table: Table, method: string): Table[keyof Table] {
  if (Object.hasOwn(table, method)) return table[method as keyof Table];
  throw new WardianError(
    'USAGE',
    `the sandboxer has no method ${JSON.stringify(method.slice(0, 80))}`,
  );
}

/** `never`: the handler of the same name takes what its parser returns, which TypeScript cannot follow through a name. */
function parseRequest(method: string, request: unknown): never {
  return findMethod(REQUEST_PARSERS, method)(request) as never;
}

async function answerEmpty(work: Promise<void>): Promise<Record<string, never>> {
  await work;
  return {};
}

async function getInfo(sandboxer: Sandboxer, surroundings: Surroundings): Promise<SandboxerInfo> {
  return {
    version: VERSION,
    pid: process.pid,
    provisional: surroundings.isProvisional,
    containers: sandboxer.count(),
    ...(await surroundings.describe()),
  };
}

function shutDown(
  sandboxer: Sandboxer,
  surroundings: Surroundings,
  force: boolean,
): Record<string, never> {
  if (!force && sandboxer.isBusy) {
    throw new WardianError(
      'CONTAINER_RUNNING',
      `${sandboxer.count().running} containers are running`,
    );
  }
  surroundings.leave();
  return {};
}
