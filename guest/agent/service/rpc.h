// Calls as they come: finding the method, decoding its request, running it (ttrpc's envelopes around agent.proto's messages).
#pragma once

#include "protocol/frame.h"

// Handles one frame of a session. -EPROTO: the host broke the rules.
int rpc_receive(const struct frame *frame);
// The session has ended: stream ids and calls in flight are forgotten.
void rpc_forget_calls(void);
