// Whatever comes over the channel: markers, frames in pieces, and the requests of every method.

#include "base/base.h"
#include "protocol/frame.h"
#include "protocol/marker.h"
#include "service/methods.h"

#include <pb_decode.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void search_marker(const uint8_t *data, size_t size, size_t step) {
    struct marker_search search;
    uint8_t marker[MARKER_SIZE];
    marker_write_accept(marker, data);
    marker_search_begin(&search, marker);
    for (size_t done = 0; done < size && search.matched < MARKER_SIZE;) {
        done += marker_search_feed(&search, data + done, size - done < step ? size - done : step);
    }
}

static void read_frames(const uint8_t *data, size_t size, size_t step) {
    struct frame_reader reader = {0};
    for (size_t done = 0, used; done < size; done += used) {
        bool complete;
        if (frame_reader_feed(&reader, data + done, size - done < step ? size - done : step, &used, &complete)) break;
        if (complete) frame_reader_reset(&reader);
    }
    frame_reader_reset(&reader);
}

static void decode_requests(const uint8_t *data, size_t size) {
    for (const struct method *method = methods; method->name; method++) {
        void *request = calloc(1, method->request_size);
        pb_istream_t input = pb_istream_from_buffer(data, size);
        if (request && pb_decode(&input, method->request, request)) pb_release(method->request, request);
        free(request);
    }
    message(StdioInput) stdio_input = {0};
    pb_istream_t input = pb_istream_from_buffer(data, size);
    if (pb_decode(&input, message_fields(StdioInput), &stdio_input) && stdio_input.data.size > size) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < NONCE_SIZE + 1) return 0;
    size_t step = data[0] % 64 + 1u;
    search_marker(data + 1, size - 1, step);
    read_frames(data + 1, size - 1, step);
    decode_requests(data + 1, size - 1);
    return 0;
}
