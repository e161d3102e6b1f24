#include "process/scheduling.h"

#include <linux/ioprio.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/syscall.h>

// struct sched_attr in its first form; the kernel's header for it contradicts the C library's.
struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

static int choose_cpus(const message(Process) *process, struct failure *why) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (size_t i = 0; i < process->cpus_count; i++) {
        if (process->cpus[i] >= CPU_SETSIZE) return fail(why, STATUS_INVALID_ARGUMENT, "no processor has the number %u", process->cpus[i]);
        CPU_SET(process->cpus[i], &set);
    }
    if (process->cpus_count && sched_setaffinity(0, sizeof set, &set) < 0) {
        return fail_errno(why, errno, "cannot run on none but processor %u and its like", process->cpus[0]);
    }
    return 0;
}

static int set_scheduler(const message(Scheduler) *wanted, struct failure *why) {
    struct attributes attributes = {
        .size = sizeof attributes,
        .policy = wanted->policy,
        .flags = wanted->flags,
        .nice = wanted->nice,
        .priority = wanted->priority,
        .runtime = wanted->runtime_nanoseconds,
        .deadline = wanted->deadline_nanoseconds,
        .period = wanted->period_nanoseconds,
    };
    if (syscall(SYS_sched_setattr, 0, &attributes, 0) == 0) return 0;
    return fail_errno(why, errno, "cannot set the scheduler to policy %u", wanted->policy);
}

int scheduling_apply(const message(Process) *process, struct failure *why) {
    int error = choose_cpus(process, why);
    if (!error && process->has_scheduler) error = set_scheduler(&process->scheduler, why);
    if (!error && process->has_io_priority && syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, process->io_priority) < 0) {
        error = fail_errno(why, errno, "cannot set the priority of input and output to %u", process->io_priority);
    }
    if (!error && process->has_personality && personality(process->personality) < 0) {
        error = fail_errno(why, errno, "cannot set the personality %u", process->personality);
    }
    return error;
}
