// Who a process is and what it may: limits, users, capabilities, seccomp. For the child, just before exec.
#pragma once

#include "base/base.h"
#include "base/messages.h"

int identity_assume(const message(Process) *process, struct failure *why);
// The seccomp filter, unless it had to come before the privileges went. The last step before exec.
int identity_seal(const message(Process) *process, struct failure *why);
