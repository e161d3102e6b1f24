// Running a command: looking it up, and exec.
#pragma once

#include "base.h"
#include "messages.h"

// Returns only when the command cannot be run, with -errno.
int execute(const message(Process) *process, struct failure *why);
