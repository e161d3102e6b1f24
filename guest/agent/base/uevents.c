#include "base/uevents.h"

#include "base/loop.h"

#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

static int open_events(void) {
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};
    int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) < 0) close_and_forget(&fd);
    return fd < 0 ? -errno : fd;
}

static bool is_missing(int error) {
    return error == -ENOENT || error == -ENXIO || error == -ENODEV;
}

static void wait_for_event(int events, int timeout_ms) {
    char event[2048];
    struct pollfd state = {.fd = events, .events = POLLIN};
    poll(&state, 1, timeout_ms);
    while (recv(events, event, sizeof event, 0) > 0) continue;
}

int uevents_try_until(int (*attempt)(const void *), const void *argument, int timeout_ms) {
    int error = attempt(argument);
    if (!is_missing(error)) return error; // mostly it is there: then no socket is needed
    AUTO_CLOSE int events = open_events();
    if (events < 0) return events;
    int64_t deadline = loop_now_ms() + timeout_ms;
    for (;;) {
        error = attempt(argument); // it may have come while the socket was opened
        int64_t left = deadline - loop_now_ms();
        if (!is_missing(error) || left <= 0) return error;
        wait_for_event(events, (int)left);
    }
}
