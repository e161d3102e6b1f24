// Collecting children that have ended: ours, and orphans that the kernel gives to PID 1.
#pragma once

#include <stdbool.h>
#include <sys/types.h>

// Tells `ended` of each child from now on; `status` is waitpid's.
int reap_open(void (*ended)(pid_t pid, int status));
// Collects what there is.
void reap_now(void);
// Collects for up to `timeout_ms`, until `done` says that it is enough. Returns what it said last.
bool reap_until(bool (*done)(const void *), const void *argument, int timeout_ms);
