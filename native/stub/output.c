#include "session.h"

#include <errno.h>

int output_receive(struct output *output, uint64_t offset, const unsigned char *bytes, size_t size, size_t *taken) {
  if (!output->known) {
    output->known = true;
    output->received = output->written = output->acknowledged = offset;
  }
  if (offset > output->received) return -EPROTO;
  uint64_t repeated = output->received - offset;
  if (repeated >= size) {
    *taken = size;
    return 0;
  }
  size_t skip = (size_t)repeated;
  size_t fresh = output->broken ? size - skip : ring_push(&output->ring, bytes + skip, size - skip);
  output->received += fresh;
  if (output->broken) output->written = output->received;
  *taken = skip + fresh;
  return 0;
}

bool output_wants_write(const struct output *output) { return output->ring.fill > 0; }

// The process goes on when nobody reads; what it writes is dropped, and counts as written.
static void give_up(struct output *output) {
  output->broken = true;
  ring_drop(&output->ring, output->ring.fill);
  output->written = output->received;
  replace_by_null(output->fd);
}

void output_write(struct output *output) {
  while (output->ring.fill > 0) {
    struct iovec bytes = ring_peek(&output->ring, 0);
    ssize_t written = write_stream(output->fd, bytes.iov_base, bytes.iov_len);
    if (written == -EAGAIN || written == -EINTR) return;
    if (written < 0) return give_up(output);
    ring_drop(&output->ring, (size_t)written);
    output->written += (uint64_t)written;
  }
}

void output_rewind(struct output *output) {
  ring_drop(&output->ring, output->ring.fill);
  output->received = output->written;
}
