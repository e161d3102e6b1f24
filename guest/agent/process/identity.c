#include "process/identity.h"

#include "process/scheduling.h"

#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { HIGHEST_CAPABILITY = 63, DEFAULT_UMASK = 0022 };
static const uint32_t SECCOMP_FLAGS_ALLOWED = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW;

static int set_limits(const message(Process) *process, struct failure *why) {
    for (size_t i = 0; i < process->rlimits_count; i++) {
        const message(Rlimit) *limit = &process->rlimits[i];
        struct rlimit value = {limit->soft, limit->hard};
        if (setrlimit((int)limit->resource, &value) < 0) return fail_errno(why, errno, "cannot set resource limit %u", limit->resource);
    }
    return 0;
}

// A capability that the kernel does not know ends the list.
static int drop_bounding_set(uint64_t keep) {
    for (int bit = 0; bit <= HIGHEST_CAPABILITY; bit++) {
        if (keep >> bit & 1) continue;
        if (prctl(PR_CAPBSET_DROP, bit, 0, 0, 0) < 0) return errno == EINVAL ? 0 : -errno;
    }
    return 0;
}

static int set_capabilities(const message(Capabilities) *wanted) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    for (int half = 0; half < 2; half++) {
        data[half].effective = (uint32_t)(wanted->effective >> (32 * half));
        data[half].permitted = (uint32_t)(wanted->permitted >> (32 * half));
        data[half].inheritable = (uint32_t)(wanted->inheritable >> (32 * half));
    }
    return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

static int raise_ambient(uint64_t ambient) {
    for (int bit = 0; bit <= HIGHEST_CAPABILITY; bit++) {
        if (!(ambient >> bit & 1)) continue;
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, bit, 0, 0) < 0 && errno != EINVAL) return -errno;
    }
    return 0;
}

// System calls by their numbers: for threads that there are not, the C library would first stop them all.
static int set_user(const message(Process) *process) {
    static const gid_t none;
    const gid_t *groups = process->additional_gids ? process->additional_gids : &none;
    if (syscall(SYS_setgroups, process->additional_gids_count, groups) < 0) return -errno;
    if (syscall(SYS_setresgid, process->gid, process->gid, process->gid) < 0) return -errno;
    if (process->uid == 0) return 0;
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0) return -errno;
    return syscall(SYS_setresuid, process->uid, process->uid, process->uid) < 0 ? -errno : 0;
}

// Without a list of capabilities the process has none.
static int set_privileges(const message(Process) *process, struct failure *why) {
    const message(Capabilities) *capabilities = &process->capabilities;
    int error = drop_bounding_set(capabilities->bounding);
    if (!error) error = set_user(process);
    if (!error) error = set_capabilities(capabilities);
    if (!error) error = raise_ambient(capabilities->ambient);
    return error ? fail_errno(why, error, "cannot become user %u", process->uid) : 0;
}

static int install_seccomp(const message(Process) *process, struct failure *why) {
    struct sock_filter filter[BPF_MAXINSNS];
    size_t size = process->seccomp_filter.size;
    if (size % sizeof filter[0] || size > sizeof filter || (process->seccomp_flags & ~SECCOMP_FLAGS_ALLOWED)) {
        return fail(why, STATUS_INVALID_ARGUMENT, "bad seccomp filter");
    }
    memcpy(filter, process->seccomp_filter.data, size);
    struct sock_fprog program = {.len = (unsigned short)(size / sizeof filter[0]), .filter = filter};
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, process->seccomp_flags, &program) < 0) {
        return fail_errno(why, errno, "cannot install the seccomp filter");
    }
    return 0;
}

// Standard streams belong to the user, so that /dev/stdout can be opened again.
static void own_streams(uint32_t uid) {
    struct stat status;
    for (int fd = 0; uid != 0 && fd <= 2; fd++) {
        bool shared = fstat(fd, &status) < 0 || (S_ISCHR(status.st_mode) && !isatty(fd)); // /dev/null is everyone's
        if (!shared && fchown(fd, uid, (gid_t)-1) < 0) continue; // only a convenience
    }
}

// An unprivileged process may only install a filter once it can gain no privileges any more; otherwise it must come before
// the privileges go, and has to allow the calls by which they do.
static bool is_filtered_late(const message(Process) *process) {
    return process->no_new_privileges || (process->capabilities.effective >> CAP_SYS_ADMIN & 1);
}

int identity_assume(const message(Process) *process, struct failure *why) {
    bool filtered_now = process->seccomp_filter.size > 0 && !is_filtered_late(process);
    own_streams(process->uid);
    umask(process->has_umask ? process->umask & 0777 : DEFAULT_UMASK);
    int error = set_limits(process, why);
    if (!error) error = scheduling_apply(process, why);
    if (!error && process->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) error = fail_errno(why, errno, "no_new_privs");
    if (!error && filtered_now) error = install_seccomp(process, why);
    return error ? error : set_privileges(process, why);
}

int identity_seal(const message(Process) *process, struct failure *why) {
    return process->seccomp_filter.size > 0 && is_filtered_late(process) ? install_seccomp(process, why) : 0;
}
