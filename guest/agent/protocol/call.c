#include "protocol/call.h"

#include "protocol/session.h"

#include <pb_encode.h>
#include <string.h>

static size_t varint_size(size_t value) {
    size_t size = 1;
    while (value >>= 7) size++;
    return size;
}

// ttrpc's Response: status 1 (code 1, message 2), payload 2. A field of length 0 is left out.
static pb_ostream_t begin_response(uint32_t stream, uint32_t tag, size_t size) {
    size_t total = size ? 1 + varint_size(size) + size : 0;
    uint8_t *place = session_send(stream, FRAME_RESPONSE, 0, total);
    if (!place) return (pb_ostream_t)PB_OSTREAM_SIZING;
    pb_ostream_t output = pb_ostream_from_buffer(place, total);
    if (size) {
        pb_encode_tag(&output, PB_WT_STRING, tag);
        pb_encode_varint(&output, size);
    }
    return output;
}

void call_answer(uint32_t stream, const pb_msgdesc_t *fields, const void *response) {
    size_t size = 0;
    if (!session_is_open() || !pb_get_encoded_size(&size, fields, response)) return;
    pb_ostream_t output = begin_response(stream, 2, size);
    pb_encode(&output, fields, response);
}

static void encode_status(pb_ostream_t *output, const struct failure *failure) {
    pb_encode_tag(output, PB_WT_VARINT, 1);
    pb_encode_varint(output, failure->status);
    pb_encode_tag(output, PB_WT_STRING, 2);
    pb_encode_string(output, (const pb_byte_t *)failure->message, strlen(failure->message));
}

void call_answer_failure(uint32_t stream, const struct failure *failure) {
    if (!session_is_open()) return;
    pb_ostream_t measure = PB_OSTREAM_SIZING;
    encode_status(&measure, failure);
    pb_ostream_t output = begin_response(stream, 1, measure.bytes_written);
    encode_status(&output, failure);
}
