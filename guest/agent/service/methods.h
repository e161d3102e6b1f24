// The methods of the service: name, messages, handler.
#pragma once

#include "protocol/call.h"

struct method {
    const char *name;
    const pb_msgdesc_t *request, *response;
    size_t request_size, response_size;
    // Returns 0, or negative with call->failure filled.
    int (*handle)(struct call *call, void *request, void *response);
};

extern const struct method methods[]; // ends with a name of NULL

// The session has ended: no call will be answered later.
void methods_forget_calls(void);
