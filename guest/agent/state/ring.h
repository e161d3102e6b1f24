// A byte queue that allocates when bytes come, doubles up to its limit, and gives its memory back when it is empty.
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { RING_LIMIT_BYTES = 256 * 1024 };

struct ring {
    uint8_t *bytes;
    size_t capacity; // a power of two, or 0
    size_t head;     // index of the oldest byte
    size_t length;
};

// Where the next bytes can be written, all in one piece: stores the place and returns how many fit.
// 0 when the ring is at its limit, or when there is no memory.
size_t ring_space(struct ring *ring, uint8_t **place);
// Says that `count` bytes were written to that place.
void ring_commit(struct ring *ring, size_t count);
// Appends what fits; returns how much that was.
size_t ring_append(struct ring *ring, const uint8_t *data, size_t size);
// Bytes from `offset` behind the oldest one, as far as they lie in one piece.
size_t ring_peek(const struct ring *ring, size_t offset, const uint8_t **place);
// Drops the oldest bytes.
void ring_drop(struct ring *ring, size_t count);
void ring_clear(struct ring *ring);
