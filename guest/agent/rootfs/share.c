#include "rootfs/share.h"

#include "base/settings.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <time.h>

// Where sources of bind mounts say that the share is; a test's agent has it elsewhere.
static const char PREFIX[] = "/run/wardian/share/";
static const char TAG[] = "wardian";
// One request carries up to msize bytes. access=client: the guest's kernel judges who may do what, each user is known to the host by its
// own number, and access lists count. cache=mmap: what is mapped is shared between processes; all else is read from the host.
static const char OPTIONS[] = "trans=virtio,version=9p2000.L,msize=524288,cache=mmap,access=client,posixacl";
// The last mount before may still be on its way out: the kernel has workers for that, and the device serves one mount at a time.
enum { FREE_TIMEOUT_MS = 1000 };

static unsigned users;

static void share_path(char *path, size_t size) {
    snprintf(path, size, "%s/share", settings.run_dir);
}

const char *share_relative(const char *source) {
    return strncmp(source, PREFIX, sizeof PREFIX - 1) == 0 ? source + sizeof PREFIX - 1 : NULL;
}

bool share_is_wanted(const message(CreateContainerRequest) *request) {
    if (text_or_empty(request->rootfs.folder)[0]) return true;
    for (size_t i = 0; i < request->mounts_count; i++) {
        if (share_relative(text_or_empty(request->mounts[i].source))) return true;
    }
    return false;
}

static int mount_share(const char *path) {
    static const struct timespec pause = {.tv_nsec = 1000000};
    int error = 0;
    for (int waited = 0; waited < FREE_TIMEOUT_MS; waited++) {
        error = mount(TAG, path, "9p", 0, OPTIONS) < 0 ? -errno : 0;
        if (error != -EBUSY) return error;
        nanosleep(&pause, NULL);
    }
    return error;
}

int share_acquire(struct failure *why) {
    char path[256];
    share_path(path, sizeof path);
    int error = users || settings.is_test ? 0 : mount_share(path);
    if (error) return fail_errno(why, error, "cannot mount what the host shares");
    users++;
    return 0;
}

void share_release(void) {
    char path[256];
    if (--users || settings.is_test) return;
    share_path(path, sizeof path);
    // Nobody looks at it any more; should that be wrong, it goes when the last one does.
    if (umount2(path, 0) < 0) umount2(path, MNT_DETACH);
}

int share_open(const char *path) {
    char top[256];
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    share_path(top, sizeof top);
    AUTO_CLOSE int share = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (share < 0) return -errno;
    long fd = syscall(SYS_openat2, share, path, &how, sizeof how);
    return fd < 0 ? -errno : (int)fd;
}
