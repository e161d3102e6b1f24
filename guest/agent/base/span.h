// Bytes that belong to somebody else: a `bytes` field is a view into the frame it was decoded from.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct span {
    const uint8_t *data;
    size_t size;
};
