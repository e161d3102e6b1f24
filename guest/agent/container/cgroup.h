// One cgroup (version 2) a container: limits, killing, figures.
#pragma once

#include "base/base.h"
#include "base/messages.h"

// Turns on the controllers for the containers' cgroups. Called once.
void cgroup_prepare(void);
// Makes a container's cgroup and opens its directory; -1 where there are no cgroups.
int cgroup_create(const char *id, int *fd, struct failure *why);
// Writes cgroup files; only names without a slash.
int cgroup_write_files(int fd, const message(KeyValue) *files, size_t count, struct failure *why);
// Kills every process in it (SIGKILL), or sends a signal to every one.
void cgroup_kill(int fd);
int cgroup_signal(int fd, int signal);
// Removes it with what the container made in it.
void cgroup_remove(const char *id, int fd);
// How many processes the kernel has killed in it for want of memory.
uint64_t cgroup_out_of_memory_kills(int fd);
void cgroup_stats(int fd, message(StatsResponse) *stats);
