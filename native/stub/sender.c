#include "session.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static void put_u32(unsigned char *target, uint32_t value) {
  for (int i = 0; i < 4; i++) target[i] = (unsigned char)(value >> (24 - 8 * i));
}

bool sender_has_room(struct sender *sender, size_t payload_bytes) {
  size_t wanted = payload_bytes + FRAME_HEADER_BYTES;
  if (sizeof sender->bytes - sender->end >= wanted) return true;
  memmove(sender->bytes, sender->bytes + sender->begin, sender->end - sender->begin);
  sender->end -= sender->begin;
  sender->begin = 0;
  return sizeof sender->bytes - sender->end >= wanted;
}

unsigned char *sender_add(struct sender *sender, uint32_t stream, uint8_t type, uint8_t flags, size_t payload_bytes) {
  unsigned char *header = sender->bytes + sender->end;
  put_u32(header, (uint32_t)payload_bytes);
  put_u32(header + 4, stream);
  header[8] = type;
  header[9] = flags;
  sender->end += FRAME_HEADER_BYTES + payload_bytes;
  return header + FRAME_HEADER_BYTES;
}

unsigned char *sender_add_data(struct sender *sender, uint32_t stream, enum stream_kind kind, uint64_t offset,
                               size_t size) {
  unsigned char *payload = sender_add(sender, stream, FRAME_DATA, 0, STREAM_HEADER_BYTES + size);
  payload[0] = (unsigned char)kind;
  put_u32(payload + 1, (uint32_t)(offset >> 32));
  put_u32(payload + 5, (uint32_t)offset);
  return payload + STREAM_HEADER_BYTES;
}

bool sender_add_request(struct sender *sender, uint32_t stream, uint8_t flags, const char *format, ...) {
  char text[1024];
  va_list values;
  va_start(values, format);
  int length = vsnprintf(text, sizeof text, format, values);
  va_end(values);
  // Keys and numbers have bounds, so that every request of ours is shorter.
  if (length < 0 || (size_t)length >= sizeof text || !sender_has_room(sender, (size_t)length)) return false;
  memcpy(sender_add(sender, stream, FRAME_REQUEST, flags, (size_t)length), text, (size_t)length);
  return true;
}

int sender_flush(struct sender *sender, int socket) {
  while (sender->begin < sender->end) {
    ssize_t sent = send(socket, sender->bytes + sender->begin, sender->end - sender->begin, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return errno == EAGAIN ? 0 : -errno;
    sender->begin += (size_t)sent;
  }
  sender->begin = sender->end = 0;
  return 0;
}
