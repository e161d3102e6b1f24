import { WardianError } from '../../util/errors.ts';
import type { ServerHandlers } from './server-connection.ts';

export interface VersionGate {
  /** Of this sandboxer. */
  readonly version: string;
  /** Closes the connection. */
  hangUp(): void;
}

/**
 * Handlers for one connection, whose client may call together with its greeting, before it knows whose greeting it
 * gets back. One of another build is told our version and may ask us to leave; anything else it does not mean for
 * us, and the connection is closed without an answer, so that it begins anew.
 */
export function gateVersion(handlers: ServerHandlers, gate: VersionGate): ServerHandlers {
  let isForeign = false;
  const refuse = (): never => {
    gate.hangUp();
    throw new WardianError('SANDBOXER_UNREACHABLE', `this sandboxer is of version ${gate.version}`);
  };
  return {
    unary: async (method, request, signal) => {
      if (method === 'hello') isForeign = getVersion(request) !== gate.version;
      else if (isForeign && method !== 'shutdown') refuse();
      return handlers.unary(method, request, signal);
    },
    stream: async (method, request, stream) => {
      if (isForeign) refuse();
      return handlers.stream(method, request, stream);
    },
  };
}

function getVersion(request: unknown): unknown {
  return typeof request === 'object' && request !== null && 'version' in request
    ? request.version
    : undefined;
}
