import type { MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import { Agent } from './generated/agent_pb.ts';

/** The calls of protocol/agent.proto, with their messages. */
export const METHODS = Agent.method;

export type MethodName = keyof typeof METHODS;
/** Calls of one request and one response; `stdio` is a stream beside. */
export type UnaryMethod = Exclude<MethodName, 'stdio'>;

/** A request as a plain object: fields left out are zero, 64-bit numbers are bigint. */
export type RequestOf<M extends UnaryMethod> = MessageInitShape<(typeof METHODS)[M]['input']>;
export type ResponseOf<M extends UnaryMethod> = MessageShape<(typeof METHODS)[M]['output']>;
