#include "state/ring.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 4096 };

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

size_t ring_peek(const struct ring *ring, size_t offset, const uint8_t **place) {
    if (offset >= ring->length) return 0;
    size_t index = (ring->head + offset) & (ring->capacity - 1);
    *place = ring->bytes + index;
    return smaller(ring->length - offset, ring->capacity - index);
}

// Moves the bytes to a buffer of twice the size, oldest first.
static void grow(struct ring *ring) {
    size_t capacity = ring->capacity ? ring->capacity * 2 : FIRST_CAPACITY;
    if (capacity > RING_LIMIT_BYTES) return;
    uint8_t *bytes = malloc(capacity);
    if (!bytes) return;
    const uint8_t *piece = NULL;
    for (size_t done = 0, size; (size = ring_peek(ring, done, &piece)) > 0; done += size) {
        memcpy(bytes + done, piece, size);
    }
    free(ring->bytes);
    ring->bytes = bytes;
    ring->capacity = capacity;
    ring->head = 0;
}

size_t ring_space(struct ring *ring, uint8_t **place) {
    if (ring->length == ring->capacity) grow(ring);
    if (ring->length == ring->capacity) return 0;
    size_t tail = (ring->head + ring->length) & (ring->capacity - 1);
    *place = ring->bytes + tail;
    return smaller(ring->capacity - ring->length, ring->capacity - tail);
}

void ring_commit(struct ring *ring, size_t count) {
    ring->length += count;
}

size_t ring_append(struct ring *ring, const uint8_t *data, size_t size) {
    size_t done = 0;
    uint8_t *place = NULL;
    for (size_t space; done < size && (space = ring_space(ring, &place)) > 0;) {
        size_t count = smaller(space, size - done);
        memcpy(place, data + done, count);
        ring_commit(ring, count);
        done += count;
    }
    return done;
}

void ring_drop(struct ring *ring, size_t count) {
    count = smaller(count, ring->length);
    ring->length -= count;
    if (ring->length == 0) ring_clear(ring);
    else ring->head = (ring->head + count) & (ring->capacity - 1);
}

void ring_clear(struct ring *ring) {
    free(ring->bytes);
    *ring = (struct ring){0};
}
