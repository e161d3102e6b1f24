#include "protocol/marker.h"

#include "base/bytes.h"

#include <string.h>

enum { MAGIC_SIZE = 16 };

static void write_marker(uint8_t out[MARKER_SIZE], const char *magic, const uint8_t nonce[NONCE_SIZE]) {
    memcpy(out, magic, MAGIC_SIZE);
    put_u32be(out + MAGIC_SIZE, PROTOCOL_VERSION);
    memcpy(out + MAGIC_SIZE + 4, nonce, NONCE_SIZE);
    put_u32be(out + MAGIC_SIZE + 4 + NONCE_SIZE, 0);
}

void marker_write_offer(uint8_t out[MARKER_SIZE], const uint8_t nonce[NONCE_SIZE]) {
    write_marker(out, "\0WARDIAN-OFFER\r\n", nonce);
}

void marker_write_accept(uint8_t out[MARKER_SIZE], const uint8_t nonce[NONCE_SIZE]) {
    write_marker(out, "\0WARDIAN-ACCEPT\n", nonce);
}

void marker_search_begin(struct marker_search *search, const uint8_t marker[MARKER_SIZE]) {
    memcpy(search->marker, marker, MARKER_SIZE);
    search->matched = 0;
    search->fallback[0] = 0;
    size_t length = 0;
    for (size_t i = 1; i < MARKER_SIZE; i++) {
        while (length > 0 && marker[i] != marker[length]) length = search->fallback[length - 1];
        if (marker[i] == marker[length]) length++;
        search->fallback[i] = (uint8_t)length;
    }
}

size_t marker_search_feed(struct marker_search *search, const uint8_t *data, size_t size) {
    size_t used = 0;
    while (used < size && search->matched < MARKER_SIZE) {
        uint8_t byte = data[used++];
        while (search->matched > 0 && byte != search->marker[search->matched]) {
            search->matched = search->fallback[search->matched - 1];
        }
        if (byte == search->marker[search->matched]) search->matched++;
    }
    return used;
}
