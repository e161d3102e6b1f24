#include "state/container.h"

#include <string.h>

struct container *containers;

struct container *container_named(const char *id) {
    for (struct container *container = containers; container; container = container->next) {
        if (strcmp(container->id, text_or_empty(id)) == 0) return container;
    }
    return NULL;
}

struct process *process_named(const struct container *container, const char *exec_id) {
    for (struct process *process = container->processes; process; process = process->next) {
        if (strcmp(process->exec_id, text_or_empty(exec_id)) == 0) return process;
    }
    return NULL;
}

struct container *container_find(const char *id, struct failure *why) {
    struct container *container = container_named(id);
    if (container) return container;
    fail(why, STATUS_NOT_FOUND, "no container '%.128s'", text_or_empty(id));
    return NULL;
}

struct process *process_find(const char *container_id, const char *exec_id, struct failure *why) {
    struct container *container = container_find(container_id, why);
    if (!container) return NULL;
    struct process *process = process_named(container, exec_id);
    if (process) return process;
    fail(why, STATUS_NOT_FOUND, "no process '%.128s' in container '%.64s'", text_or_empty(exec_id), container->id);
    return NULL;
}

struct process *process_find_by_pid(pid_t pid) {
    for (struct container *container = containers; container; container = container->next) {
        for (struct process *process = container->processes; process; process = process->next) {
            if (process->pid == pid && !process->exited) return process;
        }
    }
    return NULL;
}

bool container_any_running(void) {
    for (struct container *container = containers; container; container = container->next) {
        for (struct process *process = container->processes; process; process = process->next) {
            if (!process->exited) return true;
        }
    }
    return false;
}

struct container *container_new(const char *id, uint64_t namespaces) {
    struct container *container = calloc(1, sizeof *container);
    if (!container) return NULL;
    snprintf(container->id, sizeof container->id, "%s", id);
    snprintf(container->cgroup_name, sizeof container->cgroup_name, "%s", id);
    container->namespaces = namespaces;
    container->root_fd = container->mounts_fd = container->cgroup_fd = container->pidfd = -1;
    return container;
}

struct process *container_add_process(struct container *container, const char *exec_id) {
    struct process **end = &container->processes;
    struct process *process = calloc(1, sizeof *process);
    if (!process) return NULL;
    stdio_streams_init(&process->stdio);
    process->container = container;
    process->control_fd = process->terminal_fd = -1;
    snprintf(process->exec_id, sizeof process->exec_id, "%s", exec_id);
    while (*end) end = &(*end)->next;
    *end = process;
    return process;
}

message(ExitStatus) process_exit_status(const struct process *process) {
    return (message(ExitStatus)){
        .code = process->exit_code,
        .signal = process->exit_signal,
        .out_of_memory = process->out_of_memory,
        .realtime_nanoseconds = process->exit_realtime_nanoseconds,
    };
}
