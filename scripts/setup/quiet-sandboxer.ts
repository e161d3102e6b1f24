import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SOCKET_NAME, STREAM_KIND } from '../../src/sandboxer/api.ts';
import {
  type ServerStream,
  serveConnection,
} from '../../src/sandboxer/connection/server-connection.ts';
import { VERSION } from '../../src/util/version.ts';

/** What answers commands as the sandboxer does when all goes well, and runs nothing: the words, without the deeds. */
const ANSWERS: Readonly<Record<string, object>> = {
  hello: { version: VERSION, pid: 1, provisional: false },
  run: { id: '', name: 'quiet', warnings: [] },
  exec: { pid: 1 },
  createContainer: { pid: 1 },
  startContainer: {},
  deleteContainer: {},
  execContainer: { pid: 1 },
  kill: {},
};

async function attach(stream: ServerStream): Promise<object> {
  stream.onFrame(() => {});
  stream.send(STREAM_KIND.stdout, 0, Buffer.from('\n'));
  return { exitCode: 0, signal: 0, outOfMemory: false };
}

/** Calls back with the environment of commands that talk to such a sandboxer, and a folder that goes with it. */
export async function withQuietSandboxer<T>(
  action: (environment: NodeJS.ProcessEnv, folder: string) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(path.join(tmpdir(), 'wardian-quiet-'));
  const server = createServer((socket) => {
    serveConnection(socket, {
      unary: async (method) => ANSWERS[method],
      stream: (_method, _request, stream) => attach(stream),
    });
  });
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(path.join(folder, SOCKET_NAME), resolve);
    });
    const environment = {
      PATH: process.env['PATH'],
      WARDIAN_RUNTIME_DIR: folder,
      WARDIAN_CACHE_DIR: folder,
      WARDIAN_DATA_DIR: folder,
    };
    return await action(environment, folder);
  } finally {
    server.close();
    rmSync(folder, { recursive: true });
  }
}
