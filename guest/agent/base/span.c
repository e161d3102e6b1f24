#include "base/span.h"

#include <pb_decode.h>
#include <pb_encode.h>

bool span_field(pb_istream_t *input, pb_ostream_t *output, const pb_field_t *field);

// nanopb's callback for every field of type `struct span`. The stream is always one in memory, whose state is
// the place where it reads, so nothing needs to be copied; the caller keeps the frame until it is done.
bool span_field(pb_istream_t *input, pb_ostream_t *output, const pb_field_t *field) {
    struct span *span = field->pData;
    if (input) {
        span->data = input->state;
        span->size = input->bytes_left;
        return pb_read(input, NULL, input->bytes_left);
    }
    if (!output || span->size == 0) return true;
    return pb_encode_tag_for_field(output, field) && pb_encode_string(output, span->data, span->size);
}
