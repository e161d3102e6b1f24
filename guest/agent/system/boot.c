#include "system/boot.h"

#include "base/base.h"
#include "system/interfaces.h"
#include "system/personalize.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static const char MODULE_LIST[] = "/lib/modules/load";

static void mount_system(const char *type, const char *target, unsigned long flags, const char *options) {
    if (mkdir(target, 0755) < 0 && errno != EEXIST) log_line("cannot make %s: %s", target, strerror(errno));
    if (mount(type, target, type, flags, options) < 0) log_line("cannot mount %s: %s", target, strerror(errno));
}

// pivot_root(2) cannot replace the initramfs itself, but a mount on top of it: so the initramfs becomes one.
static void stand_on_a_mount(void) {
    if (mkdir("/self", 0700) < 0 && errno != EEXIST) log_line("cannot make /self: %s", strerror(errno));
    if (mount("/", "/self", NULL, MS_BIND, NULL) < 0 || chdir("/self") < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 ||
        chroot(".") < 0 || chdir("/") < 0) {
        log_line("cannot bind the root: %s", strerror(errno));
    }
}

static void mount_systems(void) {
    mount_system("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    mount_system("sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    mount_system("devtmpfs", "/dev", MS_NOSUID, "mode=755");
    mount_system("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "mode=620,ptmxmode=666,gid=5");
    mount_system("tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=755");
    mount_system("cgroup2", "/sys/fs/cgroup", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    if (mkdir("/tmp", 01777) < 0 && errno != EEXIST) log_line("cannot make /tmp: %s", strerror(errno));
}

// The kernel may have opened no console for PID 1, when its initramfs has no such node.
static void open_console(void) {
    int fd = open("/dev/console", O_RDWR | O_NOCTTY);
    if (fd < 0) fd = open("/dev/null", O_RDWR);
    if (fd < 0) return;
    for (int stream = 0; stream <= 2; stream++) {
        if (fd != stream) dup2(fd, stream);
    }
    if (fd > 2) close(fd);
}

static void load_module(const char *path) {
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) log_line("cannot open module %s: %s", path, strerror(errno));
    else if (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST) log_line("cannot load module %s: %s", path, strerror(errno));
}

// One path a line, in the order of their needs. A kernel that has all built in has no list.
static void load_modules(void) {
    char line[512];
    FILE *list = fopen(MODULE_LIST, "re");
    if (!list) return;
    while (fgets(line, sizeof line, list)) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] && line[0] != '#') load_module(line);
    }
    fclose(list);
}

// One queue and no seeks: sorting requests only costs.
static void choose_disk_scheduler(void) {
    AUTO_CLOSE int fd = open("/sys/block/vda/queue/scheduler", O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, "none", 4) < 0) log_line("cannot choose the disk's scheduler: %s", strerror(errno));
}

void boot(void) {
    stand_on_a_mount();
    mount_systems();
    open_console();
    load_modules();
    choose_disk_scheduler();
    interfaces_open();
    personalize_open();
    int error = interfaces_bring_up_loopback();
    if (error) log_line("cannot bring up lo: %s", strerror(-error));
}
