// What tests need: checks that say where, golden vectors, and a host's side of the protocol.
#pragma once

#include "base/base.h"
#include "base/messages.h"
#include "protocol/frame.h"

// Said with a check that fails: what was looked at.
extern const char *check_context;

#define CHECK(condition)                                                                    \
    do {                                                                                    \
        if (!(condition)) {                                                                 \
            fprintf(stderr, "%s:%d: %s is not true %s\n", __FILE__, __LINE__, #condition, check_context); \
            exit(1);                                                                        \
        }                                                                                   \
    } while (0)

// A file of protocol/vectors: its keys as text, its bytes.
struct vector {
    char name[128];
    char text[16384];
    uint8_t *bytes;
    size_t size;
};

// Calls `visit` with each golden vector; returns how many there were.
size_t vectors_visit(void (*visit)(const struct vector *vector));
// Value of a key, NULL when it is absent. Valid until the next call but three.
const char *vector_value(const struct vector *vector, const char *key);
uint64_t vector_number(const struct vector *vector, const char *key);

// A request in its envelope and frame; returns its size. The buffer is the caller's to free.
size_t encode_request(uint8_t **out, uint32_t stream, const char *method, const pb_msgdesc_t *fields, const void *request);
// Decodes a response's envelope: status code and payload.
uint32_t decode_response(struct span envelope, struct span *payload);
