// Running a command: looking it up, and exec.
#pragma once

#include "base/base.h"
#include "base/messages.h"

// A list for execve: the same texts, one more unless it is NULL, and NULL behind them. NULL: no memory.
char **execute_list(char **texts, size_t count, char *more);
// Returns only when the command cannot be run, with -errno.
int execute(const message(Process) *process, struct failure *why);
