// The only program in the containers of the black-box test: says what it sees, and does what it is told.

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/msg.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int look(void) {
    char host[64] = "", cwd[256] = "", byte;
    struct stat status;
    gethostname(host, sizeof host);
    printf("pid=%d uid=%u gid=%u host=%s cwd=%s\n", getpid(), getuid(), getgid(), host, getcwd(cwd, sizeof cwd) ? cwd : "?");
    printf("umask=%03o nnp=%d\n", umask(0), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    printf("descriptors=%d\n", fcntl(3, F_GETFD) < 0 && fcntl(4, F_GETFD) < 0);
    printf("outside=%d\n", stat("/usr", &status) == 0 || stat("/run/layers", &status) == 0);
    printf("root-writable=%d\n", open("/new", O_WRONLY | O_CREAT, 0600) >= 0);
    int masked = open("/secret", O_RDONLY);
    printf("masked=%d\n", masked >= 0 && read(masked, &byte, 1) == 0);
    int injected = open("/etc/injected", O_RDONLY);
    printf("injected=%d\n", injected >= 0 && read(injected, &byte, 1) == 1 && byte == '!');
    printf("copied-up=%d\n", stat("/full/of/files", &status) == 0 && status.st_uid == 7);
    return 0;
}

static int copy_input(void) {
    char buffer[65536];
    for (ssize_t count; (count = read(0, buffer, sizeof buffer)) > 0;) {
        for (ssize_t done = 0, more; done < count; done += more) {
            more = write(1, buffer + done, (size_t)(count - done));
            if (more < 0) return 1;
        }
    }
    return 0;
}

static int flood(size_t size) {
    char buffer[4096];
    for (size_t done = 0; done < size; done += sizeof buffer) {
        for (size_t i = 0; i < sizeof buffer; i++) buffer[i] = (char)((done + i) / 1000);
        if (write(1, buffer, sizeof buffer) != sizeof buffer) return 1;
    }
    return 0;
}

static int show(const char *path) {
    int fd = open(path, O_RDONLY);
    if (fd < 0) return errno;
    dup2(fd, 0);
    return copy_input();
}

// 0: it is a device whose bytes are zero.
static int zeroes(const char *path) {
    char bytes[4] = "full";
    int fd = open(path, O_RDONLY);
    return fd < 0 || read(fd, bytes, sizeof bytes) != sizeof bytes || bytes[0] || bytes[3];
}

static int make(const char *path) {
    return open(path, O_WRONLY | O_CREAT, 0600) < 0 ? errno : 0;
}

static int say_and_fail(const char *text) {
    fprintf(stderr, "%s\n", text);
    return 3;
}

// State on stdin, first of its characters; what it may and who it is.
static int hook(void) {
    char state[16] = "";
    int out = open("/hooked", O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (out < 0 || read(0, state, sizeof state - 1) < 0) return 1;
    return dprintf(out, "%s uid=%u mark=%s\n", state, getuid(), getenv("MARK")) < 0;
}

static int served(void) {
    cpu_set_t cpus;
    sched_getaffinity(0, sizeof cpus, &cpus);
    printf("policy=%d nice=%d io=%ld first-cpu-only=%d personality=%d home=%s\n", (int)syscall(SYS_sched_getscheduler, 0), getpriority(PRIO_PROCESS, 0),
           syscall(SYS_ioprio_get, 1, 0), CPU_COUNT(&cpus) == 1 && CPU_ISSET(0, &cpus), personality(0xffffffff), getenv("HOME"));
    return 0;
}

static int neighbours(void) {
    char name[64] = "";
    gethostname(name, sizeof name);
    printf("pid=%d host=%s queue=%d shm=%d\n", getpid() > 1, name, msgget(77, 0) >= 0, access("/dev/shm/left", F_OK) == 0);
    return 0;
}

static int terminal(void) {
    struct winsize size = {0};
    ioctl(0, TIOCGWINSZ, &size);
    printf("tty=%d rows=%u columns=%u foreground=%d\n", isatty(0) && isatty(1) && isatty(2), size.ws_row, size.ws_col,
           tcgetpgrp(0) == getpgrp());
    return 0;
}

int main(int count, char **arguments) {
    const char *what = count > 1 ? arguments[1] : "look";
    if (strcmp(what, "exit") == 0) return atoi(arguments[2]);
    if (strcmp(what, "cat") == 0) return copy_input();
    if (strcmp(what, "show") == 0) return show(arguments[2]);
    if (strcmp(what, "fail") == 0) return say_and_fail(arguments[2]);
    if (strcmp(what, "hook") == 0) return hook();
    if (strcmp(what, "served") == 0) return served();
    if (strcmp(what, "neighbours") == 0) return neighbours();
    if (strcmp(what, "queue") == 0) return msgget(77, IPC_CREAT | 0600) < 0 || make("/dev/shm/left");
    if (strcmp(what, "zeroes") == 0) return zeroes(arguments[2]);
    if (strcmp(what, "make") == 0) return make(arguments[2]);
    if (strcmp(what, "flood") == 0) return flood(strtoul(arguments[2], NULL, 10));
    if (strcmp(what, "terminal") == 0) return terminal();
    if (strcmp(what, "environment") == 0) return puts(getenv("MARK")) < 0;
    if (strcmp(what, "sleep") == 0) for (;;) pause();
    if (strcmp(what, "orphan") == 0) return fork() == 0 ? copy_input() + (int)sleep(600) : (puts("bye") < 0);
    return look();
}
