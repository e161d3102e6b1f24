// Frames of a session: cutting them out of a byte stream, and their headers (docs/protocol.md, "Frames").
#pragma once

#include "base/span.h"

#include <stdbool.h>

enum {
    FRAME_HEADER_SIZE = 10,
    FRAME_LIMIT_BYTES = 4 * 1024 * 1024,
    STDIO_LIMIT_BYTES = 64 * 1024, // of data in one frame
};
enum frame_type { FRAME_REQUEST = 1, FRAME_RESPONSE = 2, FRAME_DATA = 3 };
enum { FLAG_REMOTE_CLOSED = 1, FLAG_REMOTE_OPEN = 2, FLAG_NO_DATA = 4, FLAGS_KNOWN = 7 };

struct frame {
    uint32_t stream;
    uint8_t type;
    uint8_t flags;
    struct span payload;
};

void frame_write_header(uint8_t out[FRAME_HEADER_SIZE], uint32_t length, uint32_t stream, enum frame_type type, uint8_t flags);

// Collects frames from pieces of any size.
struct frame_reader {
    uint8_t header[FRAME_HEADER_SIZE];
    size_t header_length;
    uint8_t *payload;
    size_t payload_length;
    struct frame frame;
};

// Consumes bytes up to the end of a frame or of the data, says how many, and whether reader->frame is complete.
// -EPROTO for a header that a host must not send, -ENOMEM.
int frame_reader_feed(struct frame_reader *reader, const uint8_t *data, size_t size, size_t *used, bool *complete);
// Forgets the frame, whole or in part, and its memory.
void frame_reader_reset(struct frame_reader *reader);
