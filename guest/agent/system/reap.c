#include "system/reap.h"

#include "base/base.h"
#include "base/loop.h"

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

static struct watch signals = {.fd = -1};
static void (*child_ended)(pid_t pid, int status);

void reap_now(void) {
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) child_ended(pid, status);
}

// One signal may stand for many children, so what it says is not looked at.
static void signals_ready(struct watch *watch, uint32_t events) {
    struct signalfd_siginfo information[4];
    (void)events;
    while (read(watch->fd, information, sizeof information) > 0) continue;
    reap_now();
}

int reap_open(void (*ended)(pid_t pid, int status)) {
    sigset_t set;
    child_ended = ended;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR) return -errno;
    signals = (struct watch){.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), .ready = signals_ready};
    return signals.fd < 0 ? -errno : loop_watch(&signals, EPOLLIN);
}

bool reap_until(bool (*done)(const void *), const void *argument, int timeout_ms) {
    int64_t deadline = loop_now_ms() + timeout_ms;
    for (;;) {
        int64_t left = deadline - loop_now_ms();
        reap_now();
        if (done(argument) || left <= 0) return done(argument);
        struct pollfd state = {.fd = signals.fd, .events = POLLIN};
        if (poll(&state, 1, (int)left) > 0) signals_ready(&signals, 0);
    }
}
