// The agent: PID 1 of a sandbox's guest. It makes containers as the host asks, moves their bytes, and keeps what the
// host has not yet acknowledged. See docs/protocol.md.

#include "base/base.h"
#include "base/loop.h"
#include "base/settings.h"
#include "container/cgroup.h"
#include "container/end.h"
#include "process/stdio-calls.h"
#include "protocol/channel.h"
#include "protocol/session.h"
#include "service/rpc.h"
#include "service/shutdown.h"
#include "system/boot.h"
#include "system/reap.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

static char test_run_dir[PATH_MAX];

// agent --channel-fd N --test-root DIR, for tests, never as PID 1: DIR/run takes the place of /run/wardian, directories
// DIR/run/layers/<lun> that of disks; there are no cgroups, and clock, entropy and power are left alone.
static int parse_options(int count, char **options) {
    int channel_fd = -1;
    for (int i = 1; i + 1 < count; i += 2) {
        if (strcmp(options[i], "--channel-fd") == 0) channel_fd = atoi(options[i + 1]);
        if (strcmp(options[i], "--test-root") == 0) snprintf(test_run_dir, sizeof test_run_dir, "%.200s/run", options[i + 1]);
    }
    settings = (struct settings){.is_test = true, .run_dir = test_run_dir};
    return channel_fd >= 0 && test_run_dir[0] ? channel_fd : -EINVAL;
}

static void make_run_directories(void) {
    static const char *const names[] = {"", "/layers", "/layers/0", "/scratch", "/root", "/spare", "/share", "/shm"};
    char path[PATH_MAX];
    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(path, sizeof path, "%s%s", settings.run_dir, names[i]);
        if (mkdir(path, 0700) < 0 && errno != EEXIST) log_line("cannot make %s: %s", path, strerror(errno));
    }
}

// Children inherit it, so that it need not be written for each: the way to the file is long.
static void note_oom_score(void) {
    char text[16] = "";
    AUTO_CLOSE int fd = open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof text - 1) <= 0) log_line("cannot read oom_score_adj: %s", strerror(errno));
    settings.oom_score_adjust = atoi(text);
}

static int open_all(int channel_fd) {
    static const struct session_events events = {rpc_receive, rpc_forget_calls};
    umask(0);
    make_run_directories();
    note_oom_score();
    // Containers must not see each other's mounts come and go, and a root that is shared cannot be replaced.
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) log_line("cannot make mounts private: %s", strerror(errno));
    int error = loop_open();
    if (!error) error = reap_open(process_ended);
    if (!error) error = session_open(channel_fd, &events);
    return error;
}

_Noreturn static void serve(void) {
    session_announce_waiting();
    for (;;) {
        loop_step(shutdown_step());
        stdio_calls_pump();
        channel_flush();
    }
}

int main(int count, char **options) {
    int channel_fd = -1;
    bool is_init = getpid() == 1;
    if (is_init) {
        boot();
        cgroup_prepare();
    } else {
        channel_fd = parse_options(count, options);
        if (channel_fd < 0) {
            log_line("usage: agent --channel-fd N --test-root DIR (or as PID 1, without options)");
            return 2;
        }
    }
    int error = open_all(channel_fd);
    if (!error) serve();
    log_line("cannot begin: %s", strerror(-error));
    while (is_init) pause(); // the end of PID 1 would be a panic; the host sees that no offer comes
    return 1;
}
