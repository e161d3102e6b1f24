// /init of the test's machine: asks the kernel for everything that containers need, prints the answers, and switches off.
#include "probe.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

void report(const char *name, long result) {
    if (result >= 0) printf("probe: %s: ok\n", name);
    else printf("probe: %s: %s\n", name, strerror(errno));
}

void tell(const char *name, const char *text) {
    printf("tell: %s: %s\n", name, text);
}

void write_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) return;
    if (write(fd, text, strlen(text)) < 0) printf("cannot write %s: %s\n", path, strerror(errno));
    close(fd);
}

const char *read_file(const char *path) {
    static char text[4096];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return "";
    ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    text[size < 0 ? 0 : size] = '\0';
    if (size > 0 && text[size - 1] == '\n') text[size - 1] = '\0';
    return text;
}

int in_child(bool (*check)(void)) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) _exit(check() ? 0 : (errno > 0 ? errno : EIO));
    int status;
    if (child < 0 || waitpid(child, &status, 0) < 0) return -1;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return 0;
    errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
    return -1;
}

static void tell_vulnerabilities(void) {
    static const char *const names[] = {"meltdown", "spectre_v1", "spectre_v2", "retbleed", "spec_store_bypass"};
    for (unsigned index = 0; index < sizeof names / sizeof *names; index++) {
        char path[128];
        snprintf(path, sizeof path, "/sys/devices/system/cpu/vulnerabilities/%s", names[index]);
        tell(names[index], read_file(path));
    }
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    report("proc", mount("proc", "/proc", "proc", 0, NULL));
    report("sysfs", mount("sysfs", "/sys", "sysfs", 0, NULL));
    report("devtmpfs", mount("devtmpfs", "/dev", "devtmpfs", 0, NULL));
    struct utsname names;
    uname(&names);
    tell("release", names.release);
    tell("clock", read_file("/sys/devices/system/clocksource/clocksource0/current_clocksource"));
    tell_vulnerabilities();
    check_processes();
    check_confinement();
    check_files();
    check_network();
    check_filters();
    tell("end", "reached");
    tcdrain(STDOUT_FILENO); // what the serial port still holds would be lost
    reboot(RB_AUTOBOOT);
    return 0;
}
