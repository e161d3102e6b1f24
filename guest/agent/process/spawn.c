#include "process/spawn.h"

#include "base/loop.h"
#include "process/control.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

// Mounting may have to wait for the host's disk; a child that says nothing for this long is killed.
enum { REPORT_TIMEOUT_MS = 30 * 1000 };

int spawn_make_pipe(int ends[2], bool agent_reads) {
    int pair[2];
    if (pipe2(pair, O_CLOEXEC) < 0) return -errno;
    ends[0] = agent_reads ? pair[0] : pair[1];
    ends[1] = agent_reads ? pair[1] : pair[0];
    return fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

struct plumbing {
    int in[2], out[2], err[2], control[2];
};

static void close_end(struct plumbing *plumbing, int end) {
    close_and_forget(&plumbing->in[end]);
    close_and_forget(&plumbing->out[end]);
    close_and_forget(&plumbing->err[end]);
    close_and_forget(&plumbing->control[end]);
}

static int open_plumbing(struct plumbing *plumbing, const message(Process) *process) {
    memset(plumbing, -1, sizeof *plumbing);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, plumbing->control) < 0) return -errno;
    if (process->terminal) return 0;
    int error = spawn_make_pipe(plumbing->out, true);
    if (!error) error = spawn_make_pipe(plumbing->err, true);
    if (!error && process->stdin) error = spawn_make_pipe(plumbing->in, false);
    if (!error && !process->stdin) {
        plumbing->in[1] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (plumbing->in[1] < 0) error = -errno;
    }
    return error;
}

static pid_t fork_into(const struct container *container, uint64_t namespaces, int *pidfd) {
    struct clone_args arguments = {.flags = namespaces, .exit_signal = SIGCHLD};
    if (pidfd) {
        arguments.flags |= CLONE_PIDFD;
        arguments.pidfd = (uintptr_t)pidfd;
    }
    if (container->cgroup_fd >= 0) {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = (uint64_t)container->cgroup_fd;
    }
    return (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
}

// A child is born into the PID namespace that its parent has chosen for children; the agent then chooses its own again.
static pid_t fork_beside(const struct spawn *spawn, int neighbour, uint64_t namespaces, int *pidfd) {
    static int own_namespace = -1;
    if (own_namespace < 0) own_namespace = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
    if (own_namespace < 0 || setns(neighbour, CLONE_NEWPID) < 0) return -1;
    pid_t pid = fork_into(spawn->container, namespaces, pidfd);
    if (pid == 0) return 0;
    int error = errno;
    setns(own_namespace, CLONE_NEWPID);
    errno = error;
    return pid;
}

static int find_joined(const struct spawn *spawn, uint64_t namespace) {
    for (size_t i = 0; i < spawn->joins_count; i++) {
        if (spawn->joins[i].namespace == namespace) return spawn->joins[i].pidfd;
    }
    return -1;
}

static pid_t fork_child(const struct spawn *spawn, int *pidfd) {
    const struct container *container = spawn->container;
    bool is_first = spawn->create || spawn->spare;
    uint64_t by_clone = is_first ? container->namespaces & ~(uint64_t)CLONE_NEWCGROUP : 0;
    bool is_elsewhere = (container->namespaces | container->joined) & CLONE_NEWPID;
    int neighbour = is_first ? find_joined(spawn, CLONE_NEWPID) : is_elsewhere ? container->pidfd : -1;
    return neighbour >= 0 ? fork_beside(spawn, neighbour, by_clone, pidfd) : fork_into(container, by_clone, pidfd);
}

int spawn_process(struct process *process, const struct spawn *spawn, int *pidfd, struct failure *why) {
    struct plumbing plumbing;
    int error = open_plumbing(&plumbing, spawn->process);
    pid_t pid = error ? -1 : fork_child(spawn, pidfd);
    if (pid == 0) {
        struct child_descriptors given = {plumbing.in[1], plumbing.out[1], plumbing.err[1], plumbing.control[1]};
        if (spawn->spare) child_run_spare(spawn, &given);
        child_run(spawn, &given);
    }
    if (!error && pid < 0) error = -errno;
    close_end(&plumbing, 1);
    if (!error) {
        process->pid = pid;
        process->control_fd = plumbing.control[0];
        plumbing.control[0] = -1;
        error = stdio_streams_open(&process->stdio, plumbing.in[0], plumbing.out[0], plumbing.err[0]);
        plumbing.in[0] = plumbing.out[0] = plumbing.err[0] = -1; // the streams'
    }
    close_end(&plumbing, 0);
    return error ? fail_errno(why, error, "cannot start a process") : 0;
}

int spawn_release(struct process *process) {
    return control_send(process->control_fd, (struct span){(const uint8_t *)"", 1}, -1);
}

// One descriptor to read and one to write, because each is watched for itself.
static int adopt_terminal(struct process *process, int master) {
    int in = fcntl(master, F_DUPFD_CLOEXEC, 0);
    if (in < 0) {
        int error = -errno;
        close(master);
        return error;
    }
    process->terminal_fd = fcntl(master, F_DUPFD_CLOEXEC, 0);
    return stdio_streams_open(&process->stdio, in, master, -1);
}

int spawn_await(struct process *process, struct report *report) {
    struct pollfd state = {.fd = process->control_fd, .events = POLLIN};
    int ready;
    do ready = poll(&state, 1, REPORT_TIMEOUT_MS);
    while (ready < 0 && errno == EINTR);
    if (ready <= 0) return ready < 0 ? -errno : -ETIMEDOUT;
    int master;
    int count = control_receive(process->control_fd, report, sizeof *report, &master);
    if (count < 0) return count == -ECONNRESET ? 0 : count;
    if (count == 0) return 0;
    if (count != sizeof *report) return -EPROTO;
    report->failure.message[FAILURE_MESSAGE_SIZE - 1] = '\0';
    int error = master < 0 ? 0 : adopt_terminal(process, master);
    return error ? error : 1;
}

int spawn_await_ready(struct process *process, int *root, struct failure *why) {
    struct report report;
    int result = spawn_await(process, &report);
    if (result < 0) return fail_errno(why, result, "the container's first process does not answer");
    if (result == 0) return fail(why, STATUS_INTERNAL, "the container's first process died");
    *root = report.root;
    if (report.kind == REPORT_READY) return 0;
    *why = report.failure;
    return -EINVAL;
}
