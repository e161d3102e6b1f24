#include "container/start.h"

#include "container/check.h"
#include "container/end.h"
#include "process/spawn.h"

#include <signal.h>
#include <string.h>

// 0: the process runs, or cannot be run, which the response says. Negative: it was not to be run.
static int await_exec(struct process *process, message(StartResponse) *response, struct failure *why) {
    struct report report;
    int result;
    do result = spawn_await(process, &report);
    while (result == 1 && report.kind == REPORT_READY);
    response->pid = (uint32_t)process->pid;
    bool told = result == 1;
    if (result < 0) kill(process->pid, SIGKILL);
    close_and_forget(&process->control_fd);
    if (told && report.kind == REPORT_HOOK_FAILED) {
        *why = report.failure;
        return -ECANCELED;
    }
    if (result == 0) return 0;
    response->exec_errno = (uint32_t)(told ? report.error : -result);
    response->exec_message = strdup(told ? report.failure.message : "it does not answer");
    return 0;
}

int container_start(struct container *container, message(StartResponse) *response, struct failure *why) {
    struct process *first = container->processes;
    if (!first || first->started || first->exited) {
        return fail(why, STATUS_FAILED_PRECONDITION, "container '%.128s' was started already", container->id);
    }
    int error = spawn_release(first);
    if (error) return fail_errno(why, error, "cannot start container '%.128s'", container->id);
    first->started = true;
    return await_exec(first, response, why);
}

int container_exec(const message(ExecRequest) *request, message(StartResponse) *response, struct failure *why) {
    const char *exec_id = text_or_empty(request->exec_id);
    struct container *container = container_find(request->container_id, why);
    size_t count = 0;
    int error = container ? check_process(&request->process, request->has_process, why) : -ENOENT;
    if (error) return error;
    struct process *first = container->processes;
    if (!first || !first->started || first->exited) return fail(why, STATUS_FAILED_PRECONDITION, "container '%.128s' does not run", container->id);
    if (!id_is_valid(exec_id)) return fail(why, STATUS_INVALID_ARGUMENT, "not an exec id");
    if (process_named(container, exec_id)) return fail(why, STATUS_ALREADY_EXISTS, "process '%.128s' exists", exec_id);
    for (struct process *other = first; other; other = other->next) count++;
    if (count >= PROCESSES_LIMIT) return fail(why, STATUS_RESOURCE_EXHAUSTED, "too many processes");
    struct process *process = container_add_process(container, exec_id);
    if (!process) return fail_errno(why, ENOMEM, "no memory for a process");
    struct spawn spawn = {.container = container, .process = &request->process};
    error = spawn_process(process, &spawn, NULL, why);
    if (error) {
        container_forget_process(process);
        return error;
    }
    process->started = true;
    return await_exec(process, response, why);
}
