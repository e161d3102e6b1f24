// Rings, markers and frame readers: pure functions, fed in pieces of every size.

#include "protocol/marker.h"
#include "state/ring.h"
#include "support.h"

#include <string.h>

static void ring_keeps_order_and_limit(void) {
    struct ring ring = {0};
    uint8_t next_in = 0, next_out = 0, piece[5000];
    size_t held = 0;
    for (int round = 0; round < 2000; round++) {
        size_t size = (size_t)(round * 37 % 4999);
        for (size_t i = 0; i < size; i++) piece[i] = (uint8_t)(next_in + i);
        size_t taken = ring_append(&ring, piece, size);
        CHECK(taken == size || ring.length == RING_LIMIT_BYTES);
        next_in = (uint8_t)(next_in + taken);
        held += taken;
        CHECK(ring.length == held && held <= RING_LIMIT_BYTES);
        const uint8_t *place;
        size_t dropped = (size_t)(round * 29 % 4001);
        for (size_t done = 0; done < dropped && done < held; done++) {
            CHECK(ring_peek(&ring, done, &place) > 0);
            CHECK(*place == (uint8_t)(next_out + done));
        }
        if (dropped > held) dropped = held;
        ring_drop(&ring, dropped);
        next_out = (uint8_t)(next_out + dropped);
        held -= dropped;
    }
    CHECK(held > 0);
    ring_drop(&ring, held);
    CHECK(ring.bytes == NULL && ring.capacity == 0);
}

static void marker_is_found_behind_anything(void) {
    uint8_t nonce[NONCE_SIZE] = "\0WARDIAN-ACCEPT", marker[MARKER_SIZE], stream[3 * MARKER_SIZE];
    marker_write_accept(marker, nonce); // a nonce that looks like the beginning of the marker itself
    for (size_t cut = 0; cut <= MARKER_SIZE; cut++) {
        memcpy(stream, marker, cut); // as if the host had died in the middle of it
        memcpy(stream + cut, marker, MARKER_SIZE);
        memset(stream + cut + MARKER_SIZE, 'x', sizeof stream - cut - MARKER_SIZE);
        for (size_t step = 1; step <= sizeof stream; step++) {
            struct marker_search search;
            size_t used = 0;
            marker_search_begin(&search, marker);
            while (used < sizeof stream && search.matched < MARKER_SIZE) {
                size_t left = sizeof stream - used;
                used += marker_search_feed(&search, stream + used, left < step ? left : step);
            }
            CHECK(search.matched == MARKER_SIZE);
            // It ends in the byte that it begins with, so one that lacks only that is completed by the next.
            CHECK(used == (cut >= MARKER_SIZE - 1 ? MARKER_SIZE : cut + MARKER_SIZE));
        }
    }
}

static void frames_come_in_pieces(void) {
    uint8_t stream[2 * FRAME_HEADER_SIZE + 5] = {0};
    frame_write_header(stream, 5, 7, FRAME_REQUEST, FLAG_REMOTE_OPEN);
    memcpy(stream + FRAME_HEADER_SIZE, "hello", 5);
    frame_write_header(stream + FRAME_HEADER_SIZE + 5, 0, 7, FRAME_DATA, FLAG_NO_DATA);
    for (size_t step = 1; step <= sizeof stream; step++) {
        struct frame_reader reader = {0};
        size_t frames = 0;
        for (size_t done = 0; done < sizeof stream;) {
            size_t used, left = sizeof stream - done;
            bool complete;
            CHECK(frame_reader_feed(&reader, stream + done, left < step ? left : step, &used, &complete) == 0);
            done += used;
            if (!complete) continue;
            if (frames == 0) CHECK(reader.frame.payload.size == 5 && memcmp(reader.frame.payload.data, "hello", 5) == 0);
            else CHECK(reader.frame.type == FRAME_DATA && reader.frame.payload.size == 0);
            frames++;
            frame_reader_reset(&reader);
        }
        CHECK(frames == 2);
        frame_reader_reset(&reader);
    }
}

static void failures_are_cut_to_size(void) {
    char path[1024];
    struct failure failure;
    memset(path, 'p', sizeof path);
    path[sizeof path - 1] = '\0';
    CHECK(fail_errno(&failure, ENOENT, "cannot open %s", path) == -ENOENT);
    CHECK(failure.status == STATUS_NOT_FOUND && strlen(failure.message) == FAILURE_MESSAGE_SIZE - 1);
    CHECK(fail_errno(&failure, -EEXIST, "x") == -EEXIST && strcmp(failure.message, "x: File exists") == 0);
}

int main(void) {
    ring_keeps_order_and_limit();
    marker_is_found_behind_anything();
    frames_come_in_pieces();
    failures_are_cut_to_size();
    puts("unit: ok");
    return 0;
}
