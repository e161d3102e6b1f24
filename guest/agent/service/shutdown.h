// Ending everything: containers first, then the machine.
#pragma once

#include "protocol/call.h"

// Asks all containers to end. The answer comes when they have, or have been killed; the machine is off soon after.
void shutdown_begin(struct call *call, uint32_t grace_milliseconds);
void shutdown_forget_call(void);
// Goes on with it, if it was begun. Returns how long the loop may wait, -1 for ever.
int shutdown_step(void);
