// The event loop: one thread, one epoll instance, and a callback for each descriptor.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct watch {
    int fd;
    void (*ready)(struct watch *watch, uint32_t events);
    uint32_t events; // what epoll has been told
    bool watched;
};

int loop_open(void);
// Waits for `events` (EPOLL*) on watch->fd from now on; changes what was asked for before.
int loop_watch(struct watch *watch, uint32_t events);
// Forgets a watch, also events of it that were fetched but not yet handled. May be called for one that is not watched.
void loop_unwatch(struct watch *watch);
// Handles what has happened; waits at most `timeout_ms` for it (-1: for ever).
void loop_step(int timeout_ms);
// Milliseconds since some point in the past, for deadlines.
int64_t loop_now_ms(void);
