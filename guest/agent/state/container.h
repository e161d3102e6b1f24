// What the agent knows: containers and their processes.
#pragma once

#include "base/base.h"
#include "base/messages.h"
#include "state/stdio-streams.h"

#include <sys/types.h>

enum { ID_LIMIT = 128, LAYERS_LIMIT = 64, CONTAINERS_LIMIT = 256, PROCESSES_LIMIT = 1024 };

struct container;

struct process {
    struct process *next;
    struct container *container;
    char exec_id[ID_LIMIT + 1]; // "" for the container's first process
    pid_t pid;
    int control_fd; // to the child until it has called exec; -1 afterwards
    bool started, exited;
    uint32_t exit_code, exit_signal;
    bool out_of_memory;
    uint64_t exit_realtime_nanoseconds;
    int terminal_fd; // master side, or -1
    struct stdio_streams stdio;
};

struct container {
    struct container *next;
    char id[ID_LIMIT + 1];
    uint64_t namespaces; // of its own
    uint64_t joined;     // of other containers
    int root_fd;   // the root directory, O_PATH: outlives the first process
    int pidfd;     // of the first process, whose namespaces an exec joins
    int mounts_fd; // the mount namespace, or -1: held, it need not be taken down before the host hears of an exit
    int cgroup_fd; // directory, or -1 where there are no cgroups
    char cgroup_name[ID_LIMIT + 1];
    uint32_t luns[LAYERS_LIMIT];
    size_t lun_count;
    bool has_share; // it holds the host's share
    struct process *processes; // the first is the container's own
};

extern struct container *containers;

// NULL when there is none: for those who expect that, and would only throw the words away.
struct container *container_named(const char *id);
struct process *process_named(const struct container *container, const char *exec_id);
// Look-ups that fail with STATUS_NOT_FOUND, in words.
struct container *container_find(const char *id, struct failure *why);
struct process *process_find(const char *container_id, const char *exec_id, struct failure *why);
struct process *process_find_by_pid(pid_t pid);
// A container that nobody can find yet, and a process of one; NULL when there is no memory.
struct container *container_new(const char *id, uint64_t namespaces);
struct process *container_add_process(struct container *container, const char *exec_id);
bool container_any_running(void);
// What hosts are told about the end of a process.
message(ExitStatus) process_exit_status(const struct process *process);
