// Where the agent works. The same binary runs as PID 1 of a guest, and under a test's folder on any Linux.
#pragma once

#include <stdbool.h>

struct settings {
    bool is_test;           // do not touch what belongs to the machine: clock, entropy, MAC addresses, power
    const char *run_dir;    // "/run/wardian"
    int oom_score_adjust;   // the agent's own, which every child begins with
    const char *cgroup_dir; // "/sys/fs/cgroup/containers", or NULL where there are no cgroups
};

extern struct settings settings;
