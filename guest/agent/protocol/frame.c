#include "protocol/frame.h"

#include "base/base.h"
#include "base/bytes.h"

#include <string.h>

void frame_write_header(uint8_t out[FRAME_HEADER_SIZE], uint32_t length, uint32_t stream, enum frame_type type, uint8_t flags) {
    put_u32be(out, length);
    put_u32be(out + 4, stream);
    out[8] = (uint8_t)type;
    out[9] = flags;
}

// A host opens odd streams, with requests and data only; a flag that means "no data" must be true.
static int parse_header(struct frame_reader *reader) {
    const uint8_t *header = reader->header;
    struct frame *frame = &reader->frame;
    frame->payload.size = get_u32be(header);
    frame->stream = get_u32be(header + 4);
    frame->type = header[8];
    frame->flags = header[9];
    if (frame->payload.size > FRAME_LIMIT_BYTES) return -EPROTO;
    if (frame->stream % 2 == 0) return -EPROTO;
    if (frame->type != FRAME_REQUEST && frame->type != FRAME_DATA) return -EPROTO;
    if (frame->flags & ~FLAGS_KNOWN) return -EPROTO;
    if ((frame->flags & FLAG_NO_DATA) && frame->payload.size > 0) return -EPROTO;
    return 0;
}

static size_t take(uint8_t *out, size_t have, size_t want, const uint8_t *data, size_t size) {
    size_t count = want - have < size ? want - have : size;
    if (count > 0) memcpy(out + have, data, count);
    return count;
}

int frame_reader_feed(struct frame_reader *reader, const uint8_t *data, size_t size, size_t *used, bool *complete) {
    *complete = false;
    *used = take(reader->header, reader->header_length, FRAME_HEADER_SIZE, data, size);
    bool begun = reader->header_length == FRAME_HEADER_SIZE;
    reader->header_length += *used;
    if (reader->header_length < FRAME_HEADER_SIZE) return 0;
    size_t length = reader->frame.payload.size;
    if (!begun) {
        int error = parse_header(reader);
        if (error) return error;
        length = reader->frame.payload.size;
        reader->payload = malloc(length ? length : 1);
        if (!reader->payload) return -ENOMEM;
    }
    size_t count = take(reader->payload, reader->payload_length, length, data + *used, size - *used);
    reader->payload_length += count;
    *used += count;
    reader->frame.payload.data = reader->payload;
    *complete = reader->payload_length == length;
    return 0;
}

void frame_reader_reset(struct frame_reader *reader) {
    free(reader->payload);
    *reader = (struct frame_reader){0};
}
