import { type Decoded, message, nested, scalar } from '../protobuf/message.ts';

/** Payload of a request frame (github.com/containerd/ttrpc, proto/request.proto). */
export const Request = message('ttrpc.Request', {
  service: scalar('string', 1),
  method: scalar('string', 2),
  payload: scalar('bytes', 3),
  timeoutNano: scalar('uint64', 4),
});

/** google.rpc.Status without its details, which nobody sends here. */
const Status = message('google.rpc.Status', {
  code: scalar('uint32', 1),
  message: scalar('string', 2),
});

/** Payload of a response frame. */
export const Response = message('ttrpc.Response', {
  status: nested(Status, 1),
  payload: scalar('bytes', 2),
});
export type Response = Decoded<typeof Response>;

/** gRPC's status codes, as far as they are used (https://grpc.io/docs/guides/status-codes). */
export const STATUS_CODE = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
} as const;

export type StatusCodeName = keyof typeof STATUS_CODE;
