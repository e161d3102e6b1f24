// malloc for the guest's agent, in the place of the C library's. That one gives every page back as soon as it is free and
// asks for it again soon after; in a fresh clone each of these calls, and the page faults behind them, is code of the kernel
// that must be translated before it runs. This one keeps what it has, in powers of two: the pages that were used before the
// snapshot are there in every clone. The agent has one thread, so there are no locks.
//
// Only the guest's binary has it; tests run with the sanitizers' own.

#include "base/base.h"

#include <string.h>
#include <sys/mman.h>

enum {
    SMALLEST_SHIFT = 5,               // header included
    LARGEST_KEPT_SHIFT = 19,          // beyond: mapped and unmapped each time
    ARENA_BYTES = 512 * 1024,         // what an idle agent and a first container need, many times over
    GROWTH_BYTES = 1024 * 1024,
    HEADER_BYTES = 16,                // keeps the alignment that malloc promises
};

struct block {
    size_t size; // of the whole block
    struct block *next; // while it is free
};

static _Alignas(HEADER_BYTES) uint8_t arena[ARENA_BYTES];
static uint8_t *fresh = arena, *fresh_end = arena + ARENA_BYTES;
static struct block *free_blocks[LARGEST_KEPT_SHIFT + 1];

static void *map(size_t size) {
    void *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return bytes == MAP_FAILED ? NULL : bytes;
}

static unsigned shift_of(size_t size) {
    unsigned shift = SMALLEST_SHIFT;
    while ((size_t)1 << shift < size) shift++;
    return shift;
}

// Bytes that were never handed out; what is left of the old piece is lost, at most half of it.
static struct block *take_fresh(size_t size) {
    if ((size_t)(fresh_end - fresh) < size) {
        uint8_t *more = map(GROWTH_BYTES);
        if (!more) return NULL;
        fresh = more;
        fresh_end = more + GROWTH_BYTES;
    }
    struct block *block = (struct block *)(void *)fresh;
    fresh += size;
    return block;
}

static struct block *take_large(size_t size) {
    struct block *block = map(size);
    if (block) block->size = size;
    return block;
}

static struct block *take(size_t size) {
    unsigned shift = shift_of(size);
    if (shift > LARGEST_KEPT_SHIFT) return take_large(size);
    struct block *block = free_blocks[shift];
    if (block) free_blocks[shift] = block->next;
    else block = take_fresh((size_t)1 << shift);
    if (block) block->size = (size_t)1 << shift;
    return block;
}

void *malloc(size_t size) {
    struct block *block = size > SIZE_MAX / 4 ? NULL : take(size + HEADER_BYTES);
    if (block) return (uint8_t *)block + HEADER_BYTES;
    errno = ENOMEM;
    return NULL;
}

void free(void *bytes) {
    if (!bytes) return;
    struct block *block = (struct block *)(void *)((uint8_t *)bytes - HEADER_BYTES);
    unsigned shift = shift_of(block->size);
    if (shift > LARGEST_KEPT_SHIFT) {
        int saved = errno;
        munmap(block, block->size);
        errno = saved;
        return;
    }
    block->next = free_blocks[shift];
    free_blocks[shift] = block;
}

void *calloc(size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) {
        errno = ENOMEM;
        return NULL;
    }
    void *bytes = malloc(total);
    return bytes ? memset(bytes, 0, total) : NULL;
}

void *realloc(void *bytes, size_t size) {
    if (!bytes) return malloc(size);
    const struct block *block = (const struct block *)(const void *)((uint8_t *)bytes - HEADER_BYTES);
    size_t capacity = block->size - HEADER_BYTES;
    if (size <= capacity) return bytes;
    void *larger = malloc(size);
    if (!larger) return NULL;
    memcpy(larger, bytes, capacity);
    free(bytes);
    return larger;
}

// Nobody asks for more than malloc's own alignment; the C library wants all of the family replaced together.
void *aligned_alloc(size_t alignment, size_t size) {
    if (alignment <= HEADER_BYTES) return malloc(size);
    errno = EINVAL;
    return NULL;
}
