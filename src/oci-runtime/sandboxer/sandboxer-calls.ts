import { PROVISIONAL_VARIABLE, type SandboxerMethods } from '../../sandboxer/api.ts';
import { SandboxerClient } from '../../sandboxer/client.ts';
import type { RuntimeContext } from '../runtime-context.ts';
import { buildSandboxerEnvironment } from './sandboxer-start.ts';

type Method = keyof SandboxerMethods;

/** Sandboxers come and go (a provisional one is replaced); a call that met the end of one is made again. */
const MAX_ATTEMPTS = 4;

/**
 * The sandboxer as the runtime uses it: containers outlive it, so a call that it did not live to answer is made again to
 * the next one. Calls must therefore be such that a second one does no harm.
 */
export class SandboxerCalls {
  readonly #options: Parameters<typeof SandboxerClient.connect>[0];
  /** Whatever sandboxer we start. */
  readonly #isProvisional: boolean;
  #client: Promise<SandboxerClient>;

  /** Connects meanwhile; starts a sandboxer when there is none. `key`: the container that all this is for. */
  constructor(context: RuntimeContext, key: string) {
    const { directories, version, sandboxerPath } = context;
    const environment = buildSandboxerEnvironment(context, key);
    this.#isProvisional = environment[PROVISIONAL_VARIABLE] !== undefined;
    this.#options = { directories, version, sandboxerPath, environment };
    this.#client = SandboxerClient.connectAtOnce(this.#options);
    this.#client.catch(() => {}); // Told by the first call.
  }

  /** `beforeAgain` undoes what a call may have done whose answer was lost. */
  async call<M extends Method>(
    method: M,
    request: SandboxerMethods[M]['request'],
    beforeAgain?: (client: SandboxerClient) => Promise<unknown>,
  ): Promise<SandboxerMethods[M]['response']> {
    for (let attempt = 1; ; attempt++) {
      const client = await this.#client;
      try {
        if (attempt > 1) await beforeAgain?.(client);
        return await client.call(method, request);
      } catch (error) {
        if (client.isOpen || attempt === MAX_ATTEMPTS) throw error;
        this.#client = SandboxerClient.connect(this.#options);
      }
    }
  }

  /**
   * Puts a lasting sandboxer in the place of one that was started below an engine's monitor, unless we are below it too.
   * Containers do not notice.
   */
  async replaceProvisional(): Promise<void> {
    if (this.#isProvisional) return;
    const client = await this.#client;
    const { provisional } = await client.call('hello', { version: this.#options.version });
    if (!provisional) return;
    await client.call('shutdown', { force: true });
    await client.lost;
    this.#client = SandboxerClient.connect(this.#options);
    await this.#client;
  }

  /** Closes after what was sent has left. */
  close(): void {
    this.#client.then(
      (client) => client.close(),
      () => {}, // Never open.
    );
  }
}

/** Makes one call and closes again. */
export async function callSandboxer<M extends Method>(
  { context, key }: { context: RuntimeContext; key: string },
  method: M,
  request: SandboxerMethods[M]['request'],
): Promise<SandboxerMethods[M]['response']> {
  const sandboxer = new SandboxerCalls(context, key);
  try {
    return await sandboxer.call(method, request);
  } finally {
    sandboxer.close();
  }
}
