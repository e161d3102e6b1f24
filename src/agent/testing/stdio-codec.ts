import { decodeMessage, encodeMessage } from '../../util/protobuf.ts';
import { type StdioInput, StdioInputSchema, StdioOutputSchema } from '../generated/agent_pb.ts';
import type { StdioOutput } from '../stdio/stdio-message.ts';

/** The data frames' messages by the general codec: what the agent's side of a test speaks. */
export function decodeInput(payload: Uint8Array): StdioInput {
  return decodeMessage(StdioInputSchema, payload);
}

export function encodeOutput(output: Partial<StdioOutput>): Buffer {
  const { offset = 0, stdinAcknowledged, ...others } = output;
  return encodeMessage(StdioOutputSchema, {
    ...others,
    offset: BigInt(offset),
    ...(stdinAcknowledged !== undefined && { stdinAcknowledged: BigInt(stdinAcknowledged) }),
  });
}
