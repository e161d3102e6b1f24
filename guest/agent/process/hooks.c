#include "process/hooks.h"

#include "process/execute.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

enum { QUOTE_SIZE = 120, NANOSECONDS = 1000000000 };

// A file without a name that begins with `content`.
static int make_stream(struct span content) {
    int fd = memfd_create("hook", MFD_CLOEXEC);
    if (fd < 0) return -errno;
    for (size_t done = 0; done < content.size;) {
        ssize_t count = write(fd, content.data + done, content.size - done);
        if (count < 0 && errno != EINTR) {
            int error = -errno;
            close(fd);
            return error;
        }
        if (count > 0) done += (size_t)count;
    }
    return lseek(fd, 0, SEEK_SET) < 0 ? -errno : fd;
}

// Of the child; what keeps it from running is its exit status, and its words are what it prints.
_Noreturn static void become_hook(const message(Hook) *hook, int in, int out) {
    char **args = execute_list(hook->args, hook->args_count, hook->args_count ? NULL : hook->path);
    char **env = execute_list(hook->env, hook->env_count, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (dup2(in, 0) == 0 && dup2(out, 1) == 1 && dup2(out, 2) == 2 && args && env) execve(hook->path, args, env);
    dprintf(out, "%s", strerror(errno));
    _exit(errno == ENOENT ? 127 : 126);
}

static bool is_over(const struct timespec *deadline, struct timespec *left) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    left->tv_sec = deadline->tv_sec - now.tv_sec;
    left->tv_nsec = deadline->tv_nsec - now.tv_nsec;
    if (left->tv_nsec < 0) {
        left->tv_sec--;
        left->tv_nsec += NANOSECONDS;
    }
    return left->tv_sec < 0;
}

// SIGCHLD is blocked, so none is missed between a look and the wait. 0: `status` is filled, -ETIMEDOUT, -errno.
static int await(pid_t pid, uint32_t timeout_ms, int *status) {
    struct timespec deadline, left;
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += timeout_ms / 1000;
    deadline.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (deadline.tv_nsec >= NANOSECONDS) {
        deadline.tv_sec++;
        deadline.tv_nsec -= NANOSECONDS;
    }
    for (;;) {
        pid_t ended = waitpid(pid, status, timeout_ms ? WNOHANG : 0);
        if (ended == pid) return 0;
        if (ended < 0 && errno != EINTR) return -errno;
        if (timeout_ms && is_over(&deadline, &left)) return -ETIMEDOUT;
        if (timeout_ms) sigtimedwait(&child, NULL, &left);
    }
}

// The beginning of what it printed, in one line.
static void quote(int out, char text[QUOTE_SIZE]) {
    ssize_t count = pread(out, text, QUOTE_SIZE - 1, 0);
    text[count > 0 ? count : 0] = '\0';
    for (char *at = text; *at; at++) {
        if ((unsigned char)*at < ' ') *at = ' ';
    }
    for (size_t length = strlen(text); length > 0 && text[length - 1] == ' '; length--) text[length - 1] = '\0';
}

static int judge(const message(Hook) *hook, int status, int out, struct failure *why) {
    char text[QUOTE_SIZE];
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return 0;
    quote(out, text);
    const char *how = WIFSIGNALED(status) ? "was ended by signal" : "ended with";
    int number = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
    return fail(why, STATUS_FAILED_PRECONDITION, "hook %.64s %s %d%s%s", hook->path, how, number, text[0] ? ": " : "", text);
}

static int run(const message(Hook) *hook, struct failure *why) {
    AUTO_CLOSE int in = make_stream(hook->input);
    AUTO_CLOSE int out = make_stream((struct span){0});
    pid_t pid = in < 0 || out < 0 ? -1 : fork();
    if (pid == 0) become_hook(hook, in, out);
    if (pid < 0) return fail_errno(why, in < 0 ? in : out < 0 ? out : errno, "cannot run hook %.64s", hook->path);
    int status;
    int error = await(pid, hook->timeout_milliseconds, &status);
    if (!error) return judge(hook, status, out, why);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    if (error != -ETIMEDOUT) return fail_errno(why, error, "cannot wait for hook %.64s", hook->path);
    return fail(why, STATUS_FAILED_PRECONDITION, "hook %.64s took longer than %u ms", hook->path, hook->timeout_milliseconds);
}

int hooks_run(const message(Hook) *hooks, size_t count, struct failure *why) {
    sigset_t child, before;
    int error = 0;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, &before);
    for (size_t i = 0; !error && i < count; i++) error = run(&hooks[i], why);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return error;
}
