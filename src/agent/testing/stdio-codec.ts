import {
  decodeMessage,
  encodeMessage,
  message,
  optional,
  scalar,
} from '../../util/protobuf/message.ts';

/** The data frames' messages by the general codec: what the agent's side of a test speaks. */
export const StdioInputMessage = message('StdioInput', {
  data: scalar('bytes', 1),
  offset: scalar('uint64', 2),
  eof: scalar('bool', 3),
  stdoutAcknowledged: optional('uint64', 4),
  stderrAcknowledged: optional('uint64', 5),
});

export const StdioOutputMessage = message('StdioOutput', {
  stream: scalar('uint32', 1),
  offset: scalar('uint64', 2),
  data: scalar('bytes', 3),
  eof: scalar('bool', 4),
  stdinAcknowledged: optional('uint64', 5),
  stdinClosed: scalar('bool', 6),
});

export function decodeInput(payload: Uint8Array) {
  return decodeMessage(StdioInputMessage, payload);
}

export function encodeOutput(
  output: Parameters<typeof encodeMessage<typeof StdioOutputMessage>>[1],
): Buffer {
  return encodeMessage(StdioOutputMessage, output);
}
