// Namespaces, control groups, and the system calls that programs expect.
#include "probe.h"

#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <linux/kcmp.h>
#include <linux/keyctl.h>
#include <linux/membarrier.h>
#include <linux/userfaultfd.h>
#include <mqueue.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

static int wanted_namespace;

static bool unshare_wanted(void) {
    return unshare(wanted_namespace) == 0;
}

static void check_namespaces(void) {
    static const struct {
        const char *name;
        int flag;
    } namespaces[] = {
        {"mount namespace", CLONE_NEWNS}, {"uts namespace", CLONE_NEWUTS},   {"ipc namespace", CLONE_NEWIPC},
        {"pid namespace", CLONE_NEWPID},  {"net namespace", CLONE_NEWNET},   {"user namespace", CLONE_NEWUSER},
        {"time namespace", CLONE_NEWTIME}, {"cgroup namespace", CLONE_NEWCGROUP},
    };
    for (unsigned index = 0; index < sizeof namespaces / sizeof *namespaces; index++) {
        wanted_namespace = namespaces[index].flag;
        report(namespaces[index].name, in_child(unshare_wanted));
    }
}

static void check_cgroups(void) {
    mkdir("/cgroup", 0755);
    report("cgroup2", mount("cgroup2", "/cgroup", "cgroup2", 0, NULL));
    tell("controllers", read_file("/cgroup/cgroup.controllers"));
    write_file("/cgroup/cgroup.subtree_control", "+cpuset +cpu +io +memory +hugetlb +pids");
    mkdir("/cgroup/one", 0755);
    static const char *const files[] = {"memory.max", "memory.swap.max", "cpu.max",      "cpu.weight",     "cpuset.cpus",
                                        "io.max",     "pids.max",        "cgroup.freeze", "hugetlb.2MB.max", "cgroup.kill"};
    for (unsigned index = 0; index < sizeof files / sizeof *files; index++) {
        char path[64];
        snprintf(path, sizeof path, "/cgroup/one/%s", files[index]);
        report(files[index], access(path, F_OK));
    }
}

static void check_queues(void) {
    report("System V shared memory", shmget(IPC_PRIVATE, 4096, 0600));
    report("System V semaphores", semget(IPC_PRIVATE, 1, 0600));
    report("System V messages", msgget(IPC_PRIVATE, 0600));
    report("POSIX messages", mq_open("/probe", O_RDWR | O_CREAT, 0600, NULL));
}

static void check_descriptors(void) {
    sigset_t signals;
    sigemptyset(&signals);
    report("epoll", epoll_create1(0));
    report("eventfd", eventfd(0, 0));
    report("signalfd", signalfd(-1, &signals, 0));
    report("timerfd", timerfd_create(CLOCK_MONOTONIC, 0));
    report("memfd", memfd_create("probe", MFD_ALLOW_SEALING));
    report("inotify", inotify_init1(0));
    report("fanotify", fanotify_init(FAN_CLASS_CONTENT, O_RDONLY));
    report("pidfd", syscall(SYS_pidfd_open, getpid(), 0));
    report("userfaultfd", syscall(SYS_userfaultfd, O_CLOEXEC));
    struct io_uring_params parameters = {0};
    report("io_uring", syscall(SYS_io_uring_setup, 4, &parameters));
    aio_context_t context = 0;
    report("aio", syscall(SYS_io_setup, 4, &context));
}

static long get_pid_as_i386(void) {
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory", "r8", "r9", "r10", "r11");
    return result;
}

static bool call_as_i386(void) {
    return get_pid_as_i386() == getpid();
}

static void check_calls(void) {
    timer_t timer;
    report("timers", timer_create(CLOCK_MONOTONIC, NULL, &timer));
    report("membarrier", syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0));
    report("kcmp", syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, 0, 0));
    report("keys", syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "probe"));
    char from[8] = "probe", to[8] = "";
    struct iovec local = {to, sizeof to}, remote = {from, sizeof from};
    report("process_vm_readv", process_vm_readv(getpid(), &local, 1, &remote, 1, 0));
    report("protection keys", syscall(SYS_pkey_alloc, 0, 0));
    report("32-bit calls", in_child(call_as_i386));
    report("smaps", access("/proc/self/smaps", R_OK));
    report("core files", access("/proc/sys/kernel/core_pattern", W_OK));
}

void check_processes(void) {
    check_namespaces();
    check_cgroups();
    check_queues();
    check_descriptors();
    check_calls();
}
