#include "container/container.h"

#include "container/cgroup.h"
#include "container/spare.h"
#include "process/spawn.h"
#include "process/stdio-calls.h"
#include "rootfs/layers.h"
#include "system/reap.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

// A killed process ends within milliseconds, unless it hangs in a device.
enum { KILL_TIMEOUT_MS = 10 * 1000 };
static const uint64_t NAMESPACES_KNOWN = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP;

struct container *containers;

struct container *container_find(const char *id, struct failure *why) {
    for (struct container *container = containers; container; container = container->next) {
        if (strcmp(container->id, text_or_empty(id)) == 0) return container;
    }
    fail(why, STATUS_NOT_FOUND, "no container '%.128s'", text_or_empty(id));
    return NULL;
}

struct process *process_find(const char *container_id, const char *exec_id, struct failure *why) {
    struct container *container = container_find(container_id, why);
    if (!container) return NULL;
    for (struct process *process = container->processes; process; process = process->next) {
        if (strcmp(process->exec_id, text_or_empty(exec_id)) == 0) return process;
    }
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

static bool id_is_valid(const char *id) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    size_t length = strlen(id);
    return length > 0 && length <= ID_LIMIT && strspn(id, letters) > 0 && strspn(id, allowed) == length;
}

static int check_process(const message(Process) *process, bool present, struct failure *why) {
    if (!present || process->args_count == 0) return fail(why, STATUS_INVALID_ARGUMENT, "a process needs a command");
    if (text_or_empty(process->cwd)[0] && process->cwd[0] != '/') return fail(why, STATUS_INVALID_ARGUMENT, "cwd must be absolute");
    return 0;
}

int container_check_namespaces(uint64_t namespaces, struct failure *why) {
    if (namespaces & ~NAMESPACES_KNOWN) return fail(why, STATUS_UNIMPLEMENTED, "an unknown kind of namespace");
    if (!(namespaces & CLONE_NEWNS)) return fail(why, STATUS_INVALID_ARGUMENT, "a container needs a mount namespace");
    return 0;
}

static int check_create(const message(CreateContainerRequest) *request, struct failure *why) {
    struct failure ignored;
    size_t count = 0;
    if (!id_is_valid(text_or_empty(request->id))) return fail(why, STATUS_INVALID_ARGUMENT, "not a container id");
    if (container_find(request->id, &ignored)) return fail(why, STATUS_ALREADY_EXISTS, "container '%.128s' exists", request->id);
    for (struct container *other = containers; other; other = other->next) count++;
    if (count >= CONTAINERS_LIMIT) return fail(why, STATUS_RESOURCE_EXHAUSTED, "too many containers");
    if (container_check_namespaces(request->namespaces, why)) return -EINVAL;
    if (!request->has_rootfs || request->rootfs.layers_count == 0) return fail(why, STATUS_INVALID_ARGUMENT, "a root needs a layer");
    if (request->rootfs.layers_count > LAYERS_LIMIT) return fail(why, STATUS_RESOURCE_EXHAUSTED, "too many layers");
    return check_process(&request->process, request->has_process, why);
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

static void forget_process(struct process *process) {
    struct process **link = &process->container->processes;
    while (*link != process) link = &(*link)->next;
    *link = process->next;
    stdio_calls_abort(process);
    stdio_streams_close(&process->stdio);
    close_and_forget(&process->control_fd);
    close_and_forget(&process->terminal_fd);
    free(process);
}

static void forget_container(struct container *container) {
    struct container **link = &containers;
    while (*link && *link != container) link = &(*link)->next; // a spare one is in no list
    if (*link) *link = container->next;
    while (container->processes) forget_process(container->processes);
    close_and_forget(&container->root_fd); // the last hold on the layers below
    for (size_t i = 0; i < container->lun_count; i++) layers_release(container->luns[i]);
    cgroup_remove(container->cgroup_name, container->cgroup_fd);
    close_and_forget(&container->cgroup_fd);
    close_and_forget(&container->pidfd);
    free(container);
}

struct container *container_new(const char *id, uint64_t namespaces) {
    struct container *container = calloc(1, sizeof *container);
    if (!container) return NULL;
    snprintf(container->id, sizeof container->id, "%s", id);
    snprintf(container->cgroup_name, sizeof container->cgroup_name, "%s", id);
    container->namespaces = namespaces;
    container->root_fd = container->cgroup_fd = container->pidfd = -1;
    return container;
}

static int acquire_layers(struct container *container, const message(Rootfs) *rootfs, struct failure *why) {
    for (size_t i = 0; i < rootfs->layers_count; i++) {
        if (!rootfs->layers[i].type) return fail(why, STATUS_INVALID_ARGUMENT, "a layer needs a type");
        int error = layers_acquire(&rootfs->layers[i], why);
        if (error) return error;
        container->luns[container->lun_count++] = rootfs->layers[i].lun;
    }
    return 0;
}

int container_await_ready(struct process *process, struct failure *why) {
    struct report report;
    int result = spawn_await(process, &report);
    if (result < 0) return fail_errno(why, result, "the container's first process does not answer");
    if (result == 0) return fail(why, STATUS_INTERNAL, "the container's first process died");
    if (report.kind == REPORT_READY) return 0;
    *why = report.failure;
    return -EINVAL;
}

static int open_root(struct container *container, pid_t pid, struct failure *why) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/root", pid);
    container->root_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return container->root_fd < 0 ? fail_errno(why, errno, "cannot open the container's root") : 0;
}

// The first process of a container that is made from nothing.
static int spawn_first(struct container *container, const message(CreateContainerRequest) *request, struct failure *why) {
    struct spawn spawn = {container, &request->process, .create = request};
    struct process *first = container_add_process(container, "");
    if (!first) return fail_errno(why, ENOMEM, "no memory for a process");
    return spawn_process(first, &spawn, &container->pidfd, why);
}

static int build(struct container *container, const message(CreateContainerRequest) *request, struct span encoded, struct failure *why) {
    bool is_spare = container->processes != NULL;
    int error = is_spare ? 0 : acquire_layers(container, &request->rootfs, why);
    if (!error && !is_spare) error = cgroup_create(container->cgroup_name, &container->cgroup_fd, why);
    if (!error) error = cgroup_write_files(container->cgroup_fd, request->cgroup_files, request->cgroup_files_count, why);
    if (!error) error = is_spare ? spare_hand_over(container, request, encoded, why) : spawn_first(container, request, why);
    if (!error) error = container_await_ready(container->processes, why);
    if (!error) error = open_root(container, container->processes->pid, why);
    return error;
}

int container_create(const message(CreateContainerRequest) *request, struct span encoded, uint32_t *pid, struct failure *why) {
    struct failure ignored;
    int error = check_create(request, why);
    if (error) return error;
    struct container *container = spare_take(request, encoded.size);
    if (!container) container = container_new(request->id, request->namespaces);
    if (!container) return fail_errno(why, ENOMEM, "no memory for a container");
    container->next = containers;
    containers = container;
    error = build(container, request, encoded, why);
    if (error) container_delete(container, &ignored);
    else *pid = (uint32_t)container->processes->pid;
    return error;
}

static void await_exec(struct process *process, message(StartResponse) *response) {
    struct report report;
    int result;
    do result = spawn_await(process, &report);
    while (result == 1 && report.kind == REPORT_READY);
    response->pid = (uint32_t)process->pid;
    if (result == 0) {
        close_and_forget(&process->control_fd);
        return;
    }
    bool told = result == 1;
    if (!told) kill(process->pid, SIGKILL);
    response->exec_errno = (uint32_t)(told ? report.error : -result);
    response->exec_message = strdup(told ? report.failure.message : "it does not answer");
    close_and_forget(&process->control_fd);
}

int container_start(struct container *container, message(StartResponse) *response, struct failure *why) {
    struct process *first = container->processes;
    if (!first || first->started || first->exited) {
        return fail(why, STATUS_FAILED_PRECONDITION, "container '%.128s' was started already", container->id);
    }
    int error = spawn_release(first);
    if (error) return fail_errno(why, error, "cannot start container '%.128s'", container->id);
    first->started = true;
    await_exec(first, response);
    return 0;
}

int container_exec(const message(ExecRequest) *request, message(StartResponse) *response, struct failure *why) {
    struct failure ignored;
    const char *exec_id = text_or_empty(request->exec_id);
    struct container *container = container_find(request->container_id, why);
    size_t count = 0;
    int error = container ? check_process(&request->process, request->has_process, why) : -ENOENT;
    if (error) return error;
    struct process *first = container->processes;
    if (!first || !first->started || first->exited) return fail(why, STATUS_FAILED_PRECONDITION, "container '%.128s' does not run", container->id);
    if (!id_is_valid(exec_id)) return fail(why, STATUS_INVALID_ARGUMENT, "not an exec id");
    if (process_find(container->id, exec_id, &ignored)) return fail(why, STATUS_ALREADY_EXISTS, "process '%.128s' exists", exec_id);
    for (struct process *other = first; other; other = other->next) count++;
    if (count >= PROCESSES_LIMIT) return fail(why, STATUS_RESOURCE_EXHAUSTED, "too many processes");
    struct process *process = container_add_process(container, exec_id);
    if (!process) return fail_errno(why, ENOMEM, "no memory for a process");
    struct spawn spawn = {container, &request->process, NULL, NULL};
    error = spawn_process(process, &spawn, NULL, why);
    if (error) {
        forget_process(process);
        return error;
    }
    process->started = true;
    await_exec(process, response);
    return 0;
}

int container_signal(struct process *process, uint32_t signal, bool all, struct failure *why) {
    struct container *container = process->container;
    if (signal == 0 || signal > (uint32_t)SIGRTMAX) return fail(why, STATUS_INVALID_ARGUMENT, "no signal has the number %u", signal);
    if (all && signal == SIGKILL) {
        container_kill(container);
        return 0;
    }
    if (all && container->cgroup_fd >= 0) {
        int error = cgroup_signal(container->cgroup_fd, (int)signal);
        return error ? fail_errno(why, error, "cannot signal the container") : 0;
    }
    if (process->exited) return fail(why, STATUS_NOT_FOUND, "the process has ended");
    return kill(process->pid, (int)signal) < 0 ? fail_errno(why, errno, "cannot signal the process") : 0;
}

// The cgroup holds all of it. Without one, the processes that the agent knows; a PID namespace takes the rest along.
void container_kill(struct container *container) {
    cgroup_kill(container->cgroup_fd);
    for (struct process *process = container->processes; process && container->cgroup_fd < 0; process = process->next) {
        if (process->pid > 0 && !process->exited) kill(process->pid, SIGKILL);
    }
}

static bool all_ended(const void *argument) {
    const struct container *container = argument;
    for (struct process *process = container->processes; process; process = process->next) {
        if (process->pid > 0 && !process->exited) return false;
    }
    return true;
}

int container_delete(struct container *container, struct failure *why) {
    container_kill(container);
    if (!reap_until(all_ended, container, KILL_TIMEOUT_MS)) {
        return fail(why, STATUS_INTERNAL, "container '%.128s' has a process that does not end", container->id);
    }
    forget_container(container);
    return 0;
}

int container_delete_process(struct process *process, struct failure *why) {
    if (!process->exec_id[0]) return fail(why, STATUS_FAILED_PRECONDITION, "a first process goes with its container");
    if (!process->exited) return fail(why, STATUS_FAILED_PRECONDITION, "process '%.128s' still runs", process->exec_id);
    forget_process(process);
    return 0;
}
