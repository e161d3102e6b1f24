// What happens when a process has ended.

#include "container/cgroup.h"
#include "container/container.h"

#include <sched.h>
#include <sys/wait.h>
#include <time.h>

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

message(ExitStatus) process_exit_status(const struct process *process) {
    return (message(ExitStatus)){
        .code = process->exit_code,
        .signal = process->exit_signal,
        .out_of_memory = process->out_of_memory,
        .realtime_nanoseconds = process->exit_realtime_nanoseconds,
    };
}
