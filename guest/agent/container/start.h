// Letting containers run, and further processes in them.
#pragma once

#include "state/container.h"

// Lets a created process call exec. A command that cannot be run is an answer: exec_errno and its message.
int container_start(struct container *container, message(StartResponse) *response, struct failure *why);
int container_exec(const message(ExecRequest) *request, message(StartResponse) *response, struct failure *why);
