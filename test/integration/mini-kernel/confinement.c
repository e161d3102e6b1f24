// seccomp, programs on a control group that decide about devices, Landlock.
#include "probe.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// Filters getppid(2) away, and nothing else.
static bool filter_a_call(void) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOTNAM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return false;
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0) return false;
    return syscall(SYS_getppid) == -1 && errno == ENOTNAM && getpid() > 0;
}

static bool supervise_calls(void) {
    uint32_t action = SECCOMP_RET_USER_NOTIF;
    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

static int load_device_program(void) {
    // return false: no device at all
    struct bpf_insn code[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0},
        {.code = BPF_JMP | BPF_EXIT},
    };
    union bpf_attr attributes = {
        .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
        .insns = (uintptr_t)code,
        .insn_cnt = sizeof code / sizeof *code,
        .license = (uintptr_t) "GPL",
    };
    return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof attributes);
}

static bool attach_device_program(int program) {
    int group = open("/cgroup/one", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    union bpf_attr attributes = {
        .target_fd = group,
        .attach_bpf_fd = program,
        .attach_type = BPF_CGROUP_DEVICE,
        .attach_flags = BPF_F_ALLOW_MULTI,
    };
    return syscall(SYS_bpf, BPF_PROG_ATTACH, &attributes, sizeof attributes) == 0;
}

static bool be_denied_a_device(void) {
    int program = load_device_program();
    if (program < 0 || !attach_device_program(program)) return false;
    if (open("/dev/zero", O_RDONLY | O_CLOEXEC) < 0) return false; // not in the group yet
    write_file("/cgroup/one/cgroup.procs", "0");
    if (open("/dev/zero", O_RDONLY | O_CLOEXEC) >= 0) errno = EEXIST;
    return errno == EPERM;
}

static long get_landlock_version(void) {
    return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

void check_confinement(void) {
    report("seccomp filter", in_child(filter_a_call));
    report("seccomp supervisor", in_child(supervise_calls));
    report("device program", in_child(be_denied_a_device));
    report("landlock", get_landlock_version());
    tell("bpf", read_file("/proc/sys/kernel/unprivileged_bpf_disabled"));
}
