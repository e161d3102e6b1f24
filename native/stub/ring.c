#include "session.h"

#include <string.h>
#include <sys/mman.h>

// What a ring may keep of memory when it is empty.
enum { QUIET_BYTES = 4096 };

struct iovec ring_room(struct ring *ring) {
  size_t end = (ring->begin + ring->fill) % WINDOW_BYTES;
  size_t limit = end >= ring->begin && ring->fill < WINDOW_BYTES ? WINDOW_BYTES : ring->begin;
  return (struct iovec){.iov_base = ring->bytes + end, .iov_len = limit - end};
}

void ring_add(struct ring *ring, size_t size) {
  ring->fill += size;
  if (ring->begin + ring->fill > QUIET_BYTES) ring->touched = true;
}

size_t ring_push(struct ring *ring, const unsigned char *bytes, size_t size) {
  size_t done = 0;
  while (done < size) {
    struct iovec room = ring_room(ring);
    if (room.iov_len == 0) break;
    size_t part = size - done < room.iov_len ? size - done : room.iov_len;
    memcpy(room.iov_base, bytes + done, part);
    ring_add(ring, part);
    done += part;
  }
  return done;
}

struct iovec ring_peek(struct ring *ring, size_t skip) {
  size_t from = (ring->begin + skip) % WINDOW_BYTES;
  size_t size = ring->fill - skip;
  if (size > WINDOW_BYTES - from) size = WINDOW_BYTES - from;
  return (struct iovec){.iov_base = ring->bytes + from, .iov_len = size};
}

void ring_drop(struct ring *ring, size_t size) {
  ring->fill -= size;
  // An empty ring begins anew, so that a stream which is read as it is written uses little memory.
  ring->begin = ring->fill == 0 ? 0 : (ring->begin + size) % WINDOW_BYTES;
}

void ring_release(struct ring *ring) {
  if (!ring->touched || ring->fill > 0) return;
  madvise(ring->bytes, sizeof ring->bytes, MADV_DONTNEED);
  ring->touched = false;
}
