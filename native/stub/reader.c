#include "session.h"

#include <errno.h>
#include <string.h>

// What JavaScript counts without loss, and more than any stream will ever have.
static const uint64_t MAX_OFFSET = (1ULL << 53) - 1;

static uint32_t get_u32(const unsigned char *bytes) {
  return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static size_t available(const struct reader *reader) { return reader->end - reader->begin; }

static int read_header(struct reader *reader) {
  const unsigned char *header = reader->bytes + reader->begin;
  reader->left = get_u32(header);
  reader->stream = get_u32(header + 4);
  reader->type = header[8];
  if (reader->left > MAX_FRAME_BYTES) return -EPROTO;
  if (reader->type != FRAME_RESPONSE && reader->type != FRAME_DATA) return -EPROTO;
  if (reader->type == FRAME_DATA && reader->left < STREAM_HEADER_BYTES) return -EPROTO;
  reader->begin += FRAME_HEADER_BYTES;
  reader->in_frame = true;
  reader->in_stream = false;
  reader->response_size = 0;
  return 0;
}

static int read_stream_header(struct reader *reader) {
  const unsigned char *header = reader->bytes + reader->begin;
  reader->kind = header[0];
  reader->offset = (uint64_t)get_u32(header + 1) << 32 | get_u32(header + 5);
  if (reader->offset > MAX_OFFSET) return -EPROTO;
  reader->begin += STREAM_HEADER_BYTES;
  reader->left -= STREAM_HEADER_BYTES;
  reader->in_stream = true;
  return 0;
}

static void advance(struct reader *reader, size_t size) {
  reader->begin += size;
  reader->left -= (uint32_t)size;
  reader->offset += size;
}

// Only the beginning of a response is kept: what matters stands there.
static void take_response(struct session *session) {
  struct reader *reader = &session->reader;
  size_t size = available(reader) < reader->left ? available(reader) : reader->left;
  size_t room = sizeof reader->response - reader->response_size;
  size_t kept = size < room ? size : room;
  memcpy(reader->response + reader->response_size, reader->bytes + reader->begin, kept);
  reader->response_size += kept;
  advance(reader, size);
  if (reader->left > 0) return;
  reader->in_frame = false;
  session_respond(session, reader->stream, reader->response, reader->response_size);
}

static int take_data(struct session *session) {
  struct reader *reader = &session->reader;
  size_t size = available(reader) < reader->left ? available(reader) : reader->left;
  size_t taken = size;
  int error = session_receive(session, reader->bytes + reader->begin, size, &taken);
  if (error != 0) return error;
  advance(reader, taken);
  session->stalled = taken < size;
  if (reader->left == 0) reader->in_frame = false;
  return 0;
}

// Moves what is left of the bytes to the front, so that a header always comes to lie in one piece.
static void compact(struct reader *reader) {
  memmove(reader->bytes, reader->bytes + reader->begin, available(reader));
  reader->end -= reader->begin;
  reader->begin = 0;
}

int reader_consume(struct session *session) {
  struct reader *reader = &session->reader;
  session->stalled = false;
  while (!session->stalled) {
    if (!reader->in_frame) {
      if (available(reader) < FRAME_HEADER_BYTES) break;
      int error = read_header(reader);
      if (error != 0) return error;
    } else if (reader->type == FRAME_DATA && !reader->in_stream) {
      if (available(reader) < STREAM_HEADER_BYTES) break;
      int error = read_stream_header(reader);
      if (error == 0 && reader->left == 0) error = take_data(session);
      if (error != 0) return error;
    } else {
      if (available(reader) == 0 && reader->left > 0) break;
      if (reader->type == FRAME_RESPONSE) take_response(session);
      else {
        int error = take_data(session);
        if (error != 0) return error;
      }
    }
  }
  compact(reader);
  return 0;
}
