// Offsets that a host makes up: the streams of a process must keep to their bounds, and lose or double no byte.

#include "base/base.h"
#include "state/stdio-streams.h"

#include <fcntl.h>
#include <string.h>

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *count, char ***arguments) {
    (void)count, (void)arguments;
    if (loop_open() < 0) abort();
    return 0;
}

static void check(const struct stdio_streams *streams) {
    const struct output_stream *out = &streams->out[0];
    if (streams->in.ring.length > RING_LIMIT_BYTES || out->ring.length > RING_LIMIT_BYTES) abort();
    if (out->acknowledged > out->sent || out->sent > output_end(out)) abort();
}

// One operation of three bytes: what, and an amount that is added to or taken from what would be right.
static bool act(struct stdio_streams *streams, const uint8_t *operation, int feed) {
    static const uint8_t bytes[4096];
    struct output_stream *out = &streams->out[0];
    uint64_t received = streams->in.delivered + streams->in.ring.length;
    size_t amount = (size_t)operation[1] << 4 | operation[2];
    switch (operation[0] % 5) {
    case 0: return input_receive(&streams->in, received - (amount < received ? amount : received), bytes, amount, false) == 0;
    case 1: return input_receive(&streams->in, received + amount, bytes, 1, amount & 1) == 0;
    case 2: out->sent = output_end(out); return true;
    case 3: return output_acknowledge(out, out->acknowledged + amount) == 0;
    default: return write(feed, bytes, amount) != 0 && (loop_step(0), true);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct stdio_streams streams;
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC | O_NONBLOCK) < 0 || pipe2(out, O_CLOEXEC | O_NONBLOCK) < 0) abort();
    stdio_streams_init(&streams);
    if (stdio_streams_open(&streams, in[1], out[0], -1) < 0) abort();
    for (size_t i = 0; i + 3 <= size && act(&streams, data + i, out[1]); i += 3) check(&streams);
    stdio_streams_process_ended(&streams);
    check(&streams);
    stdio_streams_close(&streams);
    close(in[0]);
    close(out[1]);
    return 0;
}
