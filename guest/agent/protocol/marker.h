// Offers and accepts: the marks by which two sides find the beginning of a session (docs/protocol.md, "Session").
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { PROTOCOL_VERSION = 1, NONCE_SIZE = 16, MARKER_SIZE = 40 };

void marker_write_offer(uint8_t out[MARKER_SIZE], const uint8_t nonce[NONCE_SIZE]);
void marker_write_accept(uint8_t out[MARKER_SIZE], const uint8_t nonce[NONCE_SIZE]);

// Looks for one marker in a stream that comes in pieces of any size (Knuth, Morris and Pratt).
struct marker_search {
    uint8_t marker[MARKER_SIZE];
    uint8_t fallback[MARKER_SIZE]; // length of the longest prefix that also ends here
    size_t matched;
};

void marker_search_begin(struct marker_search *search, const uint8_t marker[MARKER_SIZE]);
// Consumes bytes up to the end of the marker or of the data; returns how many. Found when search->matched is MARKER_SIZE.
size_t marker_search_feed(struct marker_search *search, const uint8_t *data, size_t size);
