#include "rootfs/borrow.h"

#include "base/base.h"
#include "base/settings.h"
#include "rootfs/path.h"
#include "rootfs/tree.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>

int borrow_open_shm(void) {
    char path[256];
    snprintf(path, sizeof path, "%s/shm", settings.run_dir);
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

// In the other's namespace: a copy of its mount, which belongs to none.
static int copy_shm(void) {
    AUTO_CLOSE int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    AUTO_CLOSE int shm = root < 0 ? -errno : path_open(root, "/dev/shm", O_PATH | O_DIRECTORY, 0);
    return shm < 0 ? shm : tree_copy(shm, "", false);
}

int borrow_shm(int pidfd) {
    AUTO_CLOSE int own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    if (own < 0 || setns(pidfd, CLONE_NEWNS) < 0) return -errno;
    AUTO_CLOSE int tree = copy_shm();
    if (setns(own, CLONE_NEWNS) < 0) return -errno;
    AUTO_CLOSE int place = tree < 0 ? tree : borrow_open_shm();
    return place < 0 ? place : tree_attach(tree, place);
}
