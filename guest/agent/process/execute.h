// Running a command: looking it up, and exec.
#pragma once

#include "base/base.h"
#include "base/messages.h"

// Returns only when the command cannot be run, with -errno.
int execute(const message(Process) *process, struct failure *why);
