// The child's side of a start. It is a copy of the agent with memory of its own, so the request is still at hand.

#include "base/settings.h"
#include "process/control.h"
#include "process/execute.h"
#include "process/hooks.h"
#include "process/identity.h"
#include "process/spawn.h"
#include "rootfs/borrow.h"
#include "rootfs/layers.h"
#include "rootfs/mounts.h"
#include "rootfs/path.h"
#include "rootfs/rootfs.h"
#include "system/interfaces.h"

#include <fcntl.h>
#include <pb_decode.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { CONTROL = 3, EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127 };

// What is said to the agent; `fd` goes along unless it is -1.
static void report_to_agent(struct report report, int fd) {
    control_send(CONTROL, (struct span){(const uint8_t *)&report, sizeof report}, fd);
}

_Noreturn static void give_up(int error, const struct failure *failure) {
    report_to_agent((struct report){.kind = REPORT_FAILED, .error = -error, .root = -1, .failure = *failure}, -1);
    _exit(error == -ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN);
}

// What the agent has changed for itself, and what a parent's choice must not be inherited for.
static void reset_signals(void) {
    sigset_t none;
    sigemptyset(&none);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static int write_text(const char *path, const char *text) {
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static int adjust_oom_score(const message(Process) *process, struct failure *why) {
    char text[16];
    if (!process->has_oom_score_adjust || process->oom_score_adjust == settings.oom_score_adjust) return 0;
    snprintf(text, sizeof text, "%d", process->oom_score_adjust);
    int error = write_text("/proc/self/oom_score_adj", text);
    return error ? fail_errno(why, error, "cannot set oom_score_adj to %s", text) : 0;
}

// Descriptors 0 to 2 are the streams, 3 is the control socket; nothing else of the agent's survives.
static void arrange_descriptors(const struct child_descriptors *given) {
    if (given->in >= 0) dup2(given->in, 0);
    if (given->out >= 0) dup2(given->out, 1);
    if (given->err >= 0) dup2(given->err, 2);
    if (given->control != CONTROL) dup3(given->control, CONTROL, O_CLOEXEC);
    syscall(SYS_close_range, CONTROL + 1, ~0U, 0);
}

// Joins the namespaces that the first process was made in. The PID namespace came with the birth.
static int join_container(const struct container *container, struct failure *why) {
    uint64_t join = (container->namespaces | container->joined) & ~(uint64_t)CLONE_NEWPID;
    if (setns(container->pidfd, (int)join) < 0) return fail_errno(why, errno, "cannot join the container");
    // Whatever was done to the mounts inside: this is the root that was built.
    if (fchdir(container->root_fd) < 0 || chroot(".") < 0) return fail_errno(why, errno, "cannot enter the root");
    return 0;
}

// The same for namespaces of other containers.
static int join_others(const struct spawn *spawn, struct failure *why) {
    for (size_t i = 0; i < spawn->joins_count; i++) {
        const struct joined *join = &spawn->joins[i];
        int error = join->namespace == CLONE_NEWPID || setns(join->pidfd, (int)join->namespace) == 0 ? 0 : -errno;
        // Queues and semaphores are one half of what processes share, files in /dev/shm the other.
        if (!error && join->namespace == CLONE_NEWIPC) error = borrow_shm(join->pidfd);
        if (error && error != -ENOENT) {
            return fail_errno(why, error, "cannot join another container's namespace %llx", (unsigned long long)join->namespace);
        }
    }
    return 0;
}

static int apply_sysctl(const message(KeyValue) *sysctl, struct failure *why) {
    const char *name = text_or_empty(sysctl->key), *value = text_or_empty(sysctl->value);
    char path[256];
    int length = snprintf(path, sizeof path, "/proc/sys/%s", name);
    if (length < 0 || (size_t)length >= sizeof path || strstr(name, "..")) {
        return fail(why, STATUS_INVALID_ARGUMENT, "not a sysctl: %.64s", name);
    }
    if (!strchr(name, '/')) {
        for (char *dot = path; (dot = strchr(dot, '.'));) *dot = '/';
    }
    int error = write_text(path, value);
    return error ? fail_errno(why, error, "cannot set %.64s to '%.64s'", name, value) : 0;
}

// Not by clone: the new namespace would begin at the agent's cgroup instead of the container's.
static int unshare_cgroup(uint64_t namespaces, struct failure *why) {
    if ((namespaces & CLONE_NEWCGROUP) && unshare(CLONE_NEWCGROUP) < 0) return fail_errno(why, errno, "unshare");
    return 0;
}

static int set_names(const message(CreateContainerRequest) *request, struct failure *why) {
    const char *hostname = text_or_empty(request->hostname);
    if ((request->namespaces & CLONE_NEWUTS) && hostname[0] && sethostname(hostname, strlen(hostname)) < 0) {
        return fail_errno(why, errno, "cannot set the host name");
    }
    int error = 0;
    for (size_t i = 0; !error && i < request->sysctls_count; i++) error = apply_sysctl(&request->sysctls[i], why);
    return error;
}

static int raise_loopback(const message(CreateContainerRequest) *request, struct failure *why) {
    int error = request->namespaces & CLONE_NEWNET ? interfaces_bring_up_loopback() : 0;
    return error ? fail_errno(why, error, "cannot bring up lo") : 0;
}

// What is the container's own, once its surroundings are there.
static int finish_container(int root, const message(CreateContainerRequest) *request, uint64_t written, struct failure *why) {
    int error = rootfs_furnish(root, request, written, why);
    if (!error && request->process.terminal) {
        AUTO_CLOSE int dev = path_open(root, "/dev", O_PATH | O_DIRECTORY, 0);
        if (dev >= 0) close(path_make_file(root, "/dev/console", 0600));
    }
    return error;
}

static int build_container(const message(CreateContainerRequest) *request, struct failure *why) {
    AUTO_CLOSE int root = -1;
    int error = unshare_cgroup(request->namespaces, why);
    if (!error) error = raise_loopback(request, why);
    if (!error) error = set_names(request, why);
    if (!error && request->rootfs.layers_count) error = rootfs_mount_scratch(why);
    if (!error) error = rootfs_mount(&request->rootfs, &root, why);
    if (!error) error = rootfs_surround(root, request, why);
    if (!error) error = finish_container(root, request, 0, why);
    if (!error) error = rootfs_hide(root, request, why);
    if (!error) error = rootfs_enter(root, request, why);
    return error;
}

// The surroundings are made in a directory of the agent's, from which they are taken when the image is there. It is no file system of
// its own: that would have to be taken down when the container lets go of the agent's mounts.
static int build_spare(const message(CreateContainerRequest) *spare, int *surroundings, struct failure *why) {
    char path[256];
    snprintf(path, sizeof path, "%s/spare", settings.run_dir);
    int error = unshare_cgroup(spare->namespaces, why);
    if (!error) error = raise_loopback(spare, why);
    if (error) return error;
    *surroundings = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*surroundings < 0) return fail_errno(why, errno, "cannot open %s", path);
    error = rootfs_surround(*surroundings, spare, why);
    if (!error) error = rootfs_hide(*surroundings, spare, why);
    if (!error) error = rootfs_mount_scratch(why);
    return error;
}

static int complete_spare(const message(CreateContainerRequest) *spare, int surroundings, const message(CreateContainerRequest) *request,
                          struct failure *why) {
    AUTO_CLOSE int root = -1;
    uint64_t written = 0;
    int error = set_names(request, why);
    // In a mount namespace that is older than the agent's mounts of layers, and that goes with the container.
    for (size_t i = 0; !error && i < request->rootfs.layers_count; i++) error = layers_mount(&request->rootfs.layers[i], why);
    // Below a mount of its own a file must not be hidden.
    bool has_own_mounts = request->mounts_count > spare->mounts_count;
    if (!error && !has_own_mounts) error = rootfs_write_ahead(request, &written, why);
    if (!error) error = rootfs_mount(&request->rootfs, &root, why);
    if (!error) error = rootfs_take_surroundings(root, surroundings, spare, why);
    if (!error) error = rootfs_mount_from(root, request, spare->mounts_count, why);
    if (!error) error = finish_container(root, request, written, why);
    if (!error) error = rootfs_enter(root, request, why);
    return error;
}

// A terminal of the container's own devpts, as the controlling one and as all three streams.
static int open_terminal(const message(Process) *process, bool is_first, int *master, struct failure *why) {
    struct winsize size = {.ws_row = (unsigned short)process->rows, .ws_col = (unsigned short)process->columns};
    int locked = 0;
    *master = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (*master < 0) return fail_errno(why, errno, "cannot open a terminal");
    if (ioctl(*master, TIOCSPTLCK, &locked) < 0) return fail_errno(why, errno, "cannot unlock the terminal");
    AUTO_CLOSE int slave = ioctl(*master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0) return fail_errno(why, errno, "cannot open the terminal's other end");
    if (size.ws_row && size.ws_col) ioctl(*master, TIOCSWINSZ, &size);
    if (ioctl(slave, TIOCSCTTY, 0) < 0) return fail_errno(why, errno, "cannot make it the controlling terminal");
    for (int fd = 0; fd <= 2; fd++) dup2(slave, fd);
    if (is_first) {
        AUTO_CLOSE int console = open("/dev/console", O_PATH | O_NOFOLLOW | O_CLOEXEC);
        char path[32];
        unsigned index;
        if (console >= 0 && ioctl(*master, TIOCGPTN, &index) == 0) {
            snprintf(path, sizeof path, "/dev/pts/%u", index);
            mounts_bind_over(console, path); // a console is a courtesy
        }
    }
    return 0;
}

// A container's own was made with the container; whoever comes later is not to leave folders behind.
static int enter_working_directory(int root, const message(Process) *process, struct failure *why) {
    const char *cwd = text_or_empty(process->cwd);
    if (!cwd[0]) cwd = "/";
    AUTO_CLOSE int fd = path_open(root, cwd, O_PATH | O_DIRECTORY, 0);
    if (fd < 0 || fchdir(fd) < 0) return fail_errno(why, fd < 0 ? fd : errno, "cannot enter %.80s", cwd);
    return 0;
}

// The first process of a container waits here until it is started, or until the agent lets go of the socket.
static void wait_for_release(void) {
    char byte;
    int ignored;
    if (control_receive(CONTROL, &byte, sizeof byte, &ignored) <= 0) _exit(EXIT_CANNOT_RUN);
}

_Noreturn static void give_up_for_hook(const struct failure *failure) {
    report_to_agent((struct report){.kind = REPORT_HOOK_FAILED, .root = -1, .failure = *failure}, -1);
    _exit(EXIT_CANNOT_RUN);
}

// Everything from the finished container to exec; `create` is the container's request, for its first process.
_Noreturn static void become(const message(Process) *process, const message(CreateContainerRequest) *create) {
    struct failure why = {0};
    int master = -1;
    bool is_first = create != NULL;
    int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC); // the agent takes a copy; ours ends with exec
    if (root < 0) give_up(-errno, &why);
    int error = process->terminal ? open_terminal(process, is_first, &master, &why) : 0;
    if (error) give_up(error, &why);
    if (is_first || process->terminal) report_to_agent((struct report){.kind = REPORT_READY, .root = root}, master);
    close_and_forget(&master);
    if (is_first) wait_for_release();
    error = enter_working_directory(root, process, &why);
    if (!error) error = identity_assume(process, &why);
    if (!error && is_first && hooks_run(create->start_hooks, create->start_hooks_count, &why)) give_up_for_hook(&why);
    if (!error) error = identity_seal(process, &why);
    if (!error) error = execute(process, &why);
    give_up(error, &why);
}

_Noreturn void child_run(const struct spawn *spawn, const struct child_descriptors *given) {
    struct failure why = {0};
    reset_signals();
    setsid();
    int error = adjust_oom_score(spawn->process, &why);
    if (!error) error = spawn->create ? join_others(spawn, &why) : join_container(spawn->container, &why);
    arrange_descriptors(given);
    if (!error && spawn->create) error = build_container(spawn->create, &why);
    if (error) give_up(error, &why);
    become(spawn->process, spawn->create);
}

// The request, and with it the pipe that is to be stdin, or -1.
static int receive_request(message(CreateContainerRequest) *request, int *in, struct failure *why) {
    static uint8_t encoded[SPARE_REQUEST_LIMIT]; // what the request's bytes point into
    int count = control_receive(CONTROL, encoded, sizeof encoded, in);
    if (count <= 0) _exit(EXIT_CANNOT_RUN);
    pb_istream_t input = pb_istream_from_buffer(encoded, (size_t)count);
    return pb_decode(&input, message_fields(CreateContainerRequest), request) ? 0 : fail(why, STATUS_INTERNAL, "a spare container got a bad request");
}

_Noreturn void child_run_spare(const struct spawn *spawn, const struct child_descriptors *given) {
    static message(CreateContainerRequest) request;
    struct failure why = {0};
    int surroundings = -1, in = -1;
    reset_signals();
    setsid();
    arrange_descriptors(given);
    int error = build_spare(spawn->spare, &surroundings, &why);
    if (error) give_up(error, &why);
    if (!settings.is_test) make_resident();
    report_to_agent((struct report){.kind = REPORT_READY, .root = -1}, -1);
    error = receive_request(&request, &in, &why);
    if (!error) error = adjust_oom_score(&request.process, &why);
    if (in >= 0) {
        dup2(in, 0);
        close(in);
    }
    if (!error) error = complete_spare(spawn->spare, surroundings, &request, &why);
    if (error) give_up(error, &why);
    close(surroundings);
    become(&request.process, &request);
}
