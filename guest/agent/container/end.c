#include "container/end.h"

#include "container/cgroup.h"
#include "process/stdio-calls.h"
#include "rootfs/layers.h"
#include "rootfs/share.h"
#include "system/reap.h"

#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

// A killed process ends within milliseconds, unless it hangs in a device.
enum { KILL_TIMEOUT_MS = 10 * 1000 };

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

static uint64_t realtime_nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void keep_status(struct process *process, int status) {
    process->exited = true;
    process->exit_realtime_nanoseconds = realtime_nanoseconds();
    if (WIFSIGNALED(status)) {
        process->exit_signal = (uint32_t)WTERMSIG(status);
        process->exit_code = 128 + process->exit_signal;
    } else {
        process->exit_code = (uint32_t)WEXITSTATUS(status);
    }
    // One that ended well did not miss anything, so the file need not be read.
    if (process->exit_code) process->out_of_memory = cgroup_out_of_memory_kills(process->container->cgroup_fd) > 0;
}

void process_ended(pid_t pid, int status) {
    struct process *process = process_find_by_pid(pid);
    if (!process) return; // an orphan
    keep_status(process, status);
    close_and_forget(&process->terminal_fd);
    bool is_first = process == process->container->processes;
    // With a PID namespace the kernel has ended the others before the first could be reaped.
    if (is_first && !(process->container->namespaces & CLONE_NEWPID)) container_kill(process->container);
    stdio_streams_process_ended(&process->stdio);
}

void container_forget_process(struct process *process) {
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
    while (container->processes) container_forget_process(container->processes);
    close_and_forget(&container->mounts_fd);
    close_and_forget(&container->root_fd); // the last hold on the layers below
    for (size_t i = 0; i < container->lun_count; i++) layers_release(container->luns[i]);
    if (container->has_share) share_release();
    cgroup_remove(container->cgroup_name, container->cgroup_fd);
    close_and_forget(&container->cgroup_fd);
    close_and_forget(&container->pidfd);
    free(container);
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
    container_forget_process(process);
    return 0;
}
