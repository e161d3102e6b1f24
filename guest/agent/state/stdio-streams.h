// Standard streams of one process: bytes with offsets, kept until the host has acknowledged them
// (docs/protocol.md, "Standard streams").
#pragma once

#include "base/loop.h"
#include "state/ring.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STDOUT_STREAM = 1, STDERR_STREAM = 2 };

struct output_stream {
    struct watch watch;    // of the read end; fd -1 when there is nothing (more) to read
    struct ring ring;      // from `acknowledged` on
    uint64_t acknowledged;
    uint64_t sent;         // in the present call
    bool end_sent;         // in the present call
    bool draining;         // the process is gone: at most `remaining` bytes are still taken
    size_t remaining;
};

struct input_stream {
    struct watch watch;    // of the write end; fd -1: nobody reads stdin (any more)
    struct ring ring;      // from `delivered` on
    uint64_t delivered;    // what the host may be told
    uint64_t told;         // in the present call
    bool closed_told;      // in the present call
    bool eof;              // close behind the last byte
};

struct stdio_streams {
    struct output_stream out[2]; // stdout, stderr
    struct input_stream in;
    uint32_t stream;             // of the present Stdio call; 0: none
};

void stdio_streams_init(struct stdio_streams *streams);
// Takes over non-blocking descriptors, any of which may be -1.
int stdio_streams_open(struct stdio_streams *streams, int in, int out, int err);
// The same for stdin alone.
int stdio_streams_open_input(struct stdio_streams *streams, int in);
// The process is gone: takes what its pipes still hold, and no more.
void stdio_streams_process_ended(struct stdio_streams *streams);
// Closes stdin: the process has none.
void stdio_streams_close_input(struct stdio_streams *streams);
void stdio_streams_close(struct stdio_streams *streams);

static inline uint64_t output_end(const struct output_stream *out) {
    return out->acknowledged + out->ring.length;
}
// Whether no byte will come behind those that the ring holds.
static inline bool output_ended(const struct output_stream *out) {
    return out->watch.fd < 0;
}
// Drops what the host has for good and reads on. -EPROTO for an offset that was never sent.
int output_acknowledge(struct output_stream *out, uint64_t offset);
// Takes bytes for stdin. -EPROTO when there is a gap or the host has sent more than it may.
int input_receive(struct input_stream *in, uint64_t offset, const uint8_t *data, size_t size, bool eof);
