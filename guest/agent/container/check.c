#include "container/check.h"

#include "state/container.h"

#include <sched.h>
#include <string.h>

static const uint64_t NAMESPACES_KNOWN = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP;

static const uint64_t NAMESPACES_SHARED = CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET;

bool id_is_valid(const char *id) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    size_t length = strlen(id);
    return length > 0 && length <= ID_LIMIT && strspn(id, letters) > 0 && strspn(id, allowed) == length;
}

int check_process(const message(Process) *process, bool present, struct failure *why) {
    if (!present || process->args_count == 0) return fail(why, STATUS_INVALID_ARGUMENT, "a process needs a command");
    if (text_or_empty(process->cwd)[0] && process->cwd[0] != '/') return fail(why, STATUS_INVALID_ARGUMENT, "cwd must be absolute");
    return 0;
}

int check_namespaces(uint64_t namespaces, struct failure *why) {
    if (namespaces & ~NAMESPACES_KNOWN) return fail(why, STATUS_UNIMPLEMENTED, "an unknown kind of namespace");
    if (!(namespaces & CLONE_NEWNS)) return fail(why, STATUS_INVALID_ARGUMENT, "a container needs a mount namespace");
    return 0;
}

int check_joins(const message(CreateContainerRequest) *request, struct failure *why) {
    uint64_t taken = request->namespaces | ~NAMESPACES_SHARED;
    for (size_t i = 0; i < request->joins_count; i++) {
        uint64_t namespace = request->joins[i].namespace;
        bool is_one = namespace && !(namespace & (namespace - 1));
        if (!is_one || (namespace & taken)) return fail(why, STATUS_INVALID_ARGUMENT, "namespace %llx cannot be joined", (unsigned long long)namespace);
        taken |= namespace;
    }
    return 0;
}
