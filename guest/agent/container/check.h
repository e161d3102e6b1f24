// What requests for containers and processes have in common: what is wrong with them before anything is made.
#pragma once

#include "base/base.h"
#include "base/messages.h"

// Whether it may name a container or an exec; such a name is safe as a file's.
bool id_is_valid(const char *id);
int check_process(const message(Process) *process, bool present, struct failure *why);
int check_namespaces(uint64_t namespaces, struct failure *why);
// Each namespace once, of a kind that containers can share, and none that is also made anew.
int check_joins(const message(CreateContainerRequest) *request, struct failure *why);
