// Pipes, sockets, devices, attributes.
#include "probe.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static int named_pipe(void) {
    char text[5];
    MUST(mkfifo("fifo", 0644) == 0);
    pid_t child = fork();
    if (child == 0) {
        int to = open("fifo", O_WRONLY | O_CLOEXEC);
        _exit(to >= 0 && write(to, "piped", 5) == 5 ? 0 : errno);
    }
    int status, fd = open("fifo", O_RDONLY | O_CLOEXEC);
    MUST(fd >= 0 && read(fd, text, 5) == 5 && waitpid(child, &status, 0) == child);
    SAME(memcmp(text, "piped", 5) == 0 && status == 0);
    return close(fd);
}

static int unix_socket(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    MUST(bind(listener, (void *)&address, sizeof address) == 0 && listen(listener, 1) == 0);
    struct stat status;
    MUST(stat("socket", &status) == 0);
    SAME(S_ISSOCK(status.st_mode));
    MUST(connect(client, (void *)&address, sizeof address) == 0);
    int server = accept(listener, NULL, NULL);
    char byte;
    MUST(server >= 0 && write(client, "s", 1) == 1 && read(server, &byte, 1) == 1);
    SAME(byte == 's' && bind(client, (void *)&address, sizeof address) < 0);
    close(listener), close(client), close(server);
    return 0;
}

static int device(void) {
    struct stat status;
    MUST(mknod("null", S_IFCHR | 0666, makedev(1, 3)) == 0 && stat("null", &status) == 0);
    SAME(S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3));
    int fd = open("null", O_RDWR | O_CLOEXEC);
    MUST(fd >= 0 && write(fd, "gone", 4) == 4);
    char byte;
    SAME(read(fd, &byte, 1) == 0);
    MUST(close(fd) == 0 && mknod("block", S_IFBLK | 0600, makedev(253, 0)) == 0);
    return unlink("block");
}

static int attributes(void) {
    char value[4096], list[256];
    MUST(put("file", "") == 0 && setxattr("file", "user.one", "value", 5, XATTR_CREATE) == 0);
    SAME(getxattr("file", "user.one", value, sizeof value) == 5 && memcmp(value, "value", 5) == 0);
    SAME(setxattr("file", "user.one", "v", 1, XATTR_CREATE) < 0 && errno == EEXIST);
    memset(value, 'v', 3000);
    MUST(setxattr("file", "user.two", value, 3000, 0) == 0 && getxattr("file", "user.two", NULL, 0) == 3000);
    ssize_t size = listxattr("file", list, sizeof list);
    MUST(size > 0);
    SAME(memmem(list, (size_t)size, "user.one", 9) && memmem(list, (size_t)size, "user.two", 9));
    MUST(removexattr("file", "user.one") == 0);
    SAME(getxattr("file", "user.one", value, sizeof value) < 0 && errno == ENODATA);
    return mkdir("folder", 0755) == 0 ? setxattr("folder", "user.x", "", 0, 0) : -1;
}

static int attributes_of_open_files(void) {
    char value[16];
    MUST(put("file", "") == 0);
    int fd = open("file", O_RDWR | O_CLOEXEC);
    MUST(fd >= 0 && fsetxattr(fd, "user.x", "abc", 3, 0) == 0 && fgetxattr(fd, "user.x", value, sizeof value) == 3);
    MUST(fremovexattr(fd, "user.x") == 0);
    return close(fd);
}

static int file_capability(void) {
    const uint32_t wanted[] = {0x02000001, 1 << 13, 0, 0, 0}; // version 2, effective: CAP_NET_RAW
    uint32_t found[5];
    MUST(put("file", "") == 0 && setxattr("file", "security.capability", wanted, sizeof wanted, 0) == 0);
    SAME(getxattr("file", "security.capability", found, sizeof found) == sizeof wanted && memcmp(wanted, found, sizeof wanted) == 0);
    return 0;
}

static int trusted_attribute(void) {
    MUST(put("file", "") == 0);
    return setxattr("file", "trusted.x", "y", 1, 0);
}

static const struct acl {
    uint32_t version;
    struct {
        uint16_t tag, permissions;
        uint32_t id;
    } entries[5];
} access_list = {2, {{1, 6, -1U}, {2, 7, 4711}, {4, 4, -1U}, {16, 7, -1U}, {32, 0, -1U}}};

static int access_lists(void) {
    struct acl found;
    struct stat status;
    MUST(put("file", "") == 0 && setxattr("file", "system.posix_acl_access", &access_list, sizeof access_list, 0) == 0);
    SAME(getxattr("file", "system.posix_acl_access", &found, sizeof found) == sizeof found && memcmp(&found, &access_list, sizeof found) == 0);
    MUST(stat("file", &status) == 0);
    SAME((status.st_mode & 0777) == 0670);
    MUST(mkdir("folder", 0755) == 0 && setxattr("folder", "system.posix_acl_default", &access_list, sizeof access_list, 0) == 0);
    MUST(put("folder/file", "") == 0 && mkdir("folder/below", 0777) == 0);
    SAME(getxattr("folder/file", "system.posix_acl_access", &found, sizeof found) == sizeof found && found.entries[1].id == 4711);
    SAME(getxattr("folder/below", "system.posix_acl_default", &found, sizeof found) == sizeof found);
    return 0;
}

static int use_list(void) {
    MUST(setresgid(4711, 4711, 4711) == 0 && setresuid(4711, 4711, 4711) == 0);
    int fd = open("file", O_RDWR | O_CLOEXEC);
    return fd < 0 ? -1 : 0;
}

static int access_lists_count(void) {
    MUST(put("file", "") == 0 && chmod("file", 0600) == 0);
    SAME(in_child(use_list) < 0 && errno == EACCES);
    MUST(setxattr("file", "system.posix_acl_access", &access_list, sizeof access_list, 0) == 0);
    return in_child(use_list);
}

const struct check special_checks[] = {
    {"named pipe", named_pipe},
    {"socket", unix_socket},
    {"device", device},
    {"attributes", attributes},
    {"attributes of open files", attributes_of_open_files},
    {"capability of a file", file_capability},
    {"trusted attribute", trusted_attribute},
    {"access lists", access_lists},
    {"access lists count", access_lists_count},
    {NULL, NULL},
};
