// Calls: finding the method, decoding its request, encoding its answer (ttrpc's envelopes around agent.proto's messages).
#pragma once

#include "base/base.h"
#include "base/messages.h"
#include "protocol/frame.h"

// What a handler may need besides its request.
struct call {
    struct span request; // as it came; gone when the handler returns
    uint32_t stream;
    struct failure failure;
    bool answered_later; // set by a handler that will call rpc_respond or rpc_respond_failure itself
};

// Handles one frame of a session. -EPROTO: the host broke the rules.
int rpc_receive(const struct frame *frame);
// Answers a call.
void rpc_respond(uint32_t stream, const pb_msgdesc_t *fields, const void *response);
void rpc_respond_failure(uint32_t stream, const struct failure *failure);
// The session has ended: stream ids and calls in flight are forgotten.
void rpc_forget_calls(void);
