#include "session.h"

#include <errno.h>
#include <unistd.h>

bool input_wants_read(const struct input *input) {
  return !input->ended && !input->closed && input->ring.fill < WINDOW_BYTES;
}

void input_end(struct input *input) {
  input->ended = true;
}

void input_read(struct input *input) {
  struct iovec room = ring_room(&input->ring);
  // Small pieces at first: most streams are somebody typing.
  if (room.iov_len > MAX_STDIN_FRAME_BYTES) room.iov_len = MAX_STDIN_FRAME_BYTES;
  ssize_t got = read_stream(STDIN_FILENO, room.iov_base, room.iov_len);
  if (got == -EAGAIN || got == -EINTR) return;
  if (got > 0) ring_add(&input->ring, (size_t)got);
  else input_end(input);  // also a terminal whose other end is closed
}

// Whoever writes to us then learns that nobody reads, as from the process itself.
static void close_input(struct input *input) {
  input->closed = true;
  ring_drop(&input->ring, input->ring.fill);
  if (!isatty(STDIN_FILENO)) replace_by_null(STDIN_FILENO);
}

void input_acknowledge(struct input *input, uint64_t offset) {
  if (offset <= input->acknowledged || input->closed) return;
  uint64_t fresh = offset - input->acknowledged;
  if (fresh > input->ring.fill) {
    close_input(input);
    return;
  }
  ring_drop(&input->ring, (size_t)fresh);
  input->acknowledged = offset;
  if (input->sent < offset) input->sent = offset;
}

void input_rewind(struct input *input) {
  input->sent = input->acknowledged;
  input->end_sent = false;
}
