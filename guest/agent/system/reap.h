// Collecting children that have ended: ours, and orphans that the kernel gives to PID 1.
#pragma once

#include <stdbool.h>

int reap_open(void);
// Collects what there is.
void reap_now(void);
// Collects for up to `timeout_ms`, until `done` says that it is enough. Returns what it said last.
bool reap_until(bool (*done)(const void *), const void *argument, int timeout_ms);
