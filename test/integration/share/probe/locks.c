// Locks between processes of the guest.
#include "probe.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

static int try_flock(void) {
    int fd = open("file", O_RDWR | O_CLOEXEC);
    MUST(fd >= 0);
    return flock(fd, LOCK_EX | LOCK_NB);
}

static int try_record(void) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10};
    int fd = open("file", O_RDWR | O_CLOEXEC);
    MUST(fd >= 0);
    return fcntl(fd, F_SETLK, &lock);
}

static int whole_files(void) {
    MUST(put("file", "") == 0);
    int fd = open("file", O_RDWR | O_CLOEXEC);
    MUST(fd >= 0 && flock(fd, LOCK_EX) == 0);
    SAME(in_child(try_flock) < 0 && errno == EWOULDBLOCK);
    MUST(flock(fd, LOCK_UN) == 0 && in_child(try_flock) == 0);
    return close(fd);
}

static int records(void) {
    MUST(put("file", "") == 0);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 15};
    int fd = open("file", O_RDWR | O_CLOEXEC);
    MUST(fd >= 0 && fcntl(fd, F_SETLK, &lock) == 0);
    SAME(in_child(try_record) < 0 && (errno == EAGAIN || errno == EACCES));
    lock.l_start = 5;
    lock.l_type = F_UNLCK;
    MUST(fcntl(fd, F_SETLK, &lock) == 0 && in_child(try_record) == 0);
    return close(fd);
}

static int records_of_descriptions(void) {
    MUST(put("file", "") == 0);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int one = open("file", O_RDWR | O_CLOEXEC), other = open("file", O_RDWR | O_CLOEXEC);
    MUST(one >= 0 && other >= 0 && fcntl(one, F_OFD_SETLK, &lock) == 0);
    SAME(fcntl(other, F_OFD_SETLK, &lock) < 0 && errno == EAGAIN);
    MUST(close(one) == 0 && fcntl(other, F_OFD_SETLK, &lock) == 0);
    return close(other);
}

static void wake_up(int signal) {
    (void)signal;
}

static int wait_for_lock(void) {
    int fd = open("file", O_RDWR | O_CLOEXEC);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    MUST(fd >= 0 && fcntl(fd, F_SETLKW, &lock) == 0);
    return put("had", "it");
}

static int waited_for(void) {
    MUST(put("file", "") == 0);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open("file", O_RDWR | O_CLOEXEC);
    MUST(fd >= 0 && fcntl(fd, F_SETLK, &lock) == 0);
    pid_t child = fork();
    if (child == 0) _exit(wait_for_lock() == 0 ? 0 : errno);
    usleep(100000);
    SAME(access("had", F_OK) < 0);
    lock.l_type = F_UNLCK;
    int status;
    MUST(fcntl(fd, F_SETLK, &lock) == 0 && waitpid(child, &status, 0) == child);
    SAME(status == 0 && holds("had", "it"));
    return close(fd);
}

static int interrupted(void) {
    struct sigaction action = {.sa_handler = wake_up};
    sigaction(SIGALRM, &action, NULL);
    MUST(put("file", "") == 0);
    int fd = open("file", O_RDWR | O_CLOEXEC), other = open("file", O_RDWR | O_CLOEXEC);
    MUST(fd >= 0 && other >= 0 && flock(fd, LOCK_EX) == 0);
    alarm(1);
    SAME(flock(other, LOCK_EX) < 0 && errno == EINTR);
    return close(fd) == 0 ? close(other) : -1;
}

static int leases(void) {
    MUST(put("file", "") == 0);
    int fd = open("file", O_RDONLY | O_CLOEXEC);
    MUST(fd >= 0 && fcntl(fd, F_SETLEASE, F_RDLCK) == 0);
    return close(fd);
}

const struct check lock_checks[] = {
    {"locks of files", whole_files},
    {"locks of records", records},
    {"locks of descriptions", records_of_descriptions},
    {"waited for a lock", waited_for},
    {"interrupted while waiting", interrupted},
    {"leases", leases},
    {NULL, NULL},
};
