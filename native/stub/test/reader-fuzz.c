// Bytes of a sandboxer, whatever they are: nothing is read or written beyond its place, and no stream goes back.

#include "../session.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct session session;
static const struct options options = {.container = "c", .socket = "/s"};
static const struct home home = {.folder = -1};

int LLVMFuzzerInitialize(int *count, char ***arguments) {
  (void)count, (void)arguments;
  int null = open("/dev/null", O_RDWR);
  if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0) abort();
  prepare_stdio();
  return 0;
}

static void reset(void) {
  session.reader.begin = session.reader.end = 0;
  session.reader.in_frame = false;
  for (size_t i = 0; i < 2; i++) {
    session.outputs[i].ring.begin = session.outputs[i].ring.fill = 0;
    session.outputs[i].known = session.outputs[i].broken = false;
    session.outputs[i].received = session.outputs[i].written = 0;
  }
  session.input.ring.begin = 0;
  session.input.ring.fill = 1000;
  session.input.acknowledged = session.input.sent = 0;
  session.input.closed = false;
  session.ended = false;
  session.signal_count = 0;
  session_signal(&session, 15);
  session_open(&session, &options, &home);
  session.outputs[1].fd = STDOUT_FILENO;
  session.attach_stream = 1;
}

static void check(uint64_t *received) {
  for (size_t i = 0; i < 2; i++) {
    const struct output *output = &session.outputs[i];
    if (output->received < output->written || output->received < received[i]) abort();
    if (output->ring.fill > WINDOW_BYTES) abort();
    received[i] = output->received;
  }
  if (session.reader.begin > session.reader.end || session.reader.end > sizeof session.reader.bytes) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  size_t piece = (size_t)data[0] * 8 + 1;
  bool writes = (data[1] & 1) != 0;
  data += 2;
  size -= 2;
  reset();
  session.options = &options;
  uint64_t received[2] = {0, 0};
  while (size > 0) {
    struct reader *reader = &session.reader;
    size_t room = sizeof reader->bytes - reader->end;
    size_t part = size < piece ? size : piece;
    if (part > room) part = room;
    if (part == 0) break;
    memcpy(reader->bytes + reader->end, data, part);
    reader->end += part;
    data += part;
    size -= part;
    if (reader_consume(&session) != 0 || session.ended) break;
    check(received);
    for (size_t i = 0; writes && i < 2; i++) output_write(&session.outputs[i]);
  }
  return 0;
}
