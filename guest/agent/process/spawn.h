// Starting processes: the agent's side (spawn.c) and the child's (child.c), and the socket between them.
#pragma once

#include "state/container.h"

// Of a request as it is handed to a spare container.
enum { SPARE_REQUEST_LIMIT = 64 * 1024 };
enum { JOINS_LIMIT = 4 };

// A namespace of another container, to be entered instead of making one.
struct joined {
    uint64_t namespace; // one CLONE_NEW* bit
    int pidfd;          // of that container's first process
};

struct spawn {
    const struct container *container;
    const message(Process) *process;
    const message(CreateContainerRequest) *create; // NULL for one more process in a running container
    const message(CreateContainerRequest) *spare;  // instead: its surroundings are made, and a request for it will come
    struct joined joins[JOINS_LIMIT];
    size_t joins_count;
};

// What the child says over its control socket. When exec succeeds it says no more: the socket closes.
enum report_kind { REPORT_READY = 1, REPORT_FAILED = 2, REPORT_HOOK_FAILED = 3 };
struct report {
    enum report_kind kind;
    int error; // errno, for an exec that failed
    int root;  // the child's descriptor of its root directory; -1: the root is not built yet
    struct failure failure;
};

// What the child is given.
struct child_descriptors {
    int in, out, err; // -1 with a terminal
    int control;
};

// The stack of the child: everything from here to exec. Never returns.
_Noreturn void child_run(const struct spawn *spawn, const struct child_descriptors *given);

// Its part for a spare container: makes the surroundings, waits for a request, and goes on as above.
_Noreturn void child_run_spare(const struct spawn *spawn, const struct child_descriptors *given);

// Starts the child and opens its streams.
int spawn_process(struct process *process, const struct spawn *spawn, int *pidfd, struct failure *why);
// Lets a created process go on to exec.
int spawn_release(struct process *process);
// Waits for a report. 1: `report` is filled; 0: the child has called exec, or is dead; -errno. The terminal that may
// come along is opened as the streams of the process.
int spawn_await(struct process *process, struct report *report);
// Waits until the first process stands before its exec, or says why it does not. Stores `root` of its report.
int spawn_await_ready(struct process *process, int *root, struct failure *why);
// A pipe whose first end is the agent's, which never blocks.
int spawn_make_pipe(int ends[2], bool agent_reads);
