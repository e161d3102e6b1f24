// Programs of the container that run before its process does, as the user that it will have.
#pragma once

#include "base/base.h"
#include "base/messages.h"

// Runs one after the other. The first that fails, or takes too long, ends it; the failure names it and quotes what it printed.
int hooks_run(const message(Hook) *hooks, size_t count, struct failure *why);
