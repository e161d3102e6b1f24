import type { Trace, TraceMark } from '../../util/trace.ts';
import { STREAM_KIND } from '../api.ts';
import type { ServerStream } from '../connection/server-connection.ts';

/** Sends all that is marked so far; the last such message of a stream is the one that counts. */
export function sendTrace(stream: ServerStream, trace: Trace): void {
  stream.send(STREAM_KIND.trace, 0, Buffer.from(JSON.stringify(trace.marks)));
}

/** Reads what `sendTrace` sent. */
export function readTrace(bytes: Buffer): TraceMark[] {
  return JSON.parse(bytes.toString('utf8')) as TraceMark[];
}
