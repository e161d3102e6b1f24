// A host's call, and encoding its answer (ttrpc's envelope around agent.proto's messages).
#pragma once

#include "base/base.h"
#include "base/messages.h"

// What a handler may need besides its request.
struct call {
    struct span request; // as it came; gone when the handler returns
    uint32_t stream;
    struct failure failure;
    bool answered_later; // set by a handler that will call call_answer or call_answer_failure itself
};

void call_answer(uint32_t stream, const pb_msgdesc_t *fields, const void *response);
void call_answer_failure(uint32_t stream, const struct failure *failure);
