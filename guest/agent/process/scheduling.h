// How a process is served: processors, scheduler, priority of its input and output. For the child, while it has all privileges.
#pragma once

#include "base/base.h"
#include "base/messages.h"

int scheduling_apply(const message(Process) *process, struct failure *why);
