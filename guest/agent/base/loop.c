#include "base/loop.h"

#include "base/base.h"

#include <string.h>
#include <sys/epoll.h>
#include <time.h>

static int epoll_fd = -1;
static struct epoll_event pending[32];
static int pending_count;

int loop_open(void) {
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return epoll_fd < 0 ? -errno : 0;
}

int loop_watch(struct watch *watch, uint32_t events) {
    if (watch->watched && watch->events == events) return 0;
    struct epoll_event event = {.events = events, .data.ptr = watch};
    int operation = watch->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (epoll_ctl(epoll_fd, operation, watch->fd, &event) < 0) return -errno;
    watch->watched = true;
    watch->events = events;
    return 0;
}

void loop_unwatch(struct watch *watch) {
    if (!watch->watched) return;
    epoll_ctl(epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    watch->watched = false;
    for (int i = 0; i < pending_count; i++) {
        if (pending[i].data.ptr == watch) pending[i].data.ptr = NULL;
    }
}

void loop_step(int timeout_ms) {
    int count = epoll_wait(epoll_fd, pending, COUNT(pending), timeout_ms);
    pending_count = count > 0 ? count : 0;
    for (int i = 0; i < pending_count; i++) {
        struct watch *watch = pending[i].data.ptr;
        if (watch) watch->ready(watch, pending[i].events);
    }
    pending_count = 0;
}

int64_t loop_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
