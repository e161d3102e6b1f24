/** Bytes that either side may send on a stream beyond what was acknowledged (docs/protocol.md). */
export const STDIO_WINDOW_BYTES = 256 * 1024;

/** Bytes of a stream in one frame; also how much may arrive before an acknowledgement is due. */
export const STDIO_FRAME_BYTES = 64 * 1024;

/** Stdin that may wait on this side; a writer stops when told and so never comes near. */
export const MAX_STDIN_QUEUE_BYTES = 1024 * 1024;
