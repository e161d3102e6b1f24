#include "rootfs/layers.h"

#include "base/settings.h"
#include "base/uevents.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>

// From plugging in on the host to a mounted disk takes some milliseconds; beyond this it will not come.
enum { DISK_TIMEOUT_MS = 10 * 1000, MOUNTED_LIMIT = 256 };
// A mount goes with the last process that had it, but not in the same instant: the kernel has workers for that.
enum { UNMOUNT_TIMEOUT_MS = 1000 };
static const char ROOT_DISK[] = "/dev/vda";

static struct {
    uint32_t lun;
    unsigned users;
} mounted[MOUNTED_LIMIT];

static int layer_path(char *path, size_t size, uint32_t lun) {
    return snprintf(path, size, "%s/layers/%u", settings.run_dir, lun);
}

// The root disk is there from the start; the others come by SCSI.
static int find_device(uint32_t lun, char *device, size_t size) {
    if (lun == 0) return snprintf(device, size, "%s", ROOT_DISK) > 0 ? 0 : -EINVAL;
    char path[96];
    snprintf(path, sizeof path, "/sys/bus/scsi/devices/0:0:0:%u/block", lun);
    DIR *directory = opendir(path);
    if (!directory) return -ENOENT;
    struct dirent *entry;
    do entry = readdir(directory);
    while (entry && entry->d_name[0] == '.');
    if (entry) snprintf(device, size, "/dev/%s", entry->d_name);
    closedir(directory);
    return entry ? 0 : -ENOENT;
}

struct layer_mount {
    const message(Layer) *layer;
    const char *path;
};

static int try_to_mount(const void *argument) {
    const struct layer_mount *wanted = argument;
    char device[280];
    int error = find_device(wanted->layer->lun, device, sizeof device);
    if (error) return error;
    return mount(device, wanted->path, wanted->layer->type, MS_RDONLY, wanted->layer->data) < 0 ? -errno : 0;
}

int layers_mount(const message(Layer) *layer, struct failure *why) {
    char path[256];
    layer_path(path, sizeof path, layer->lun);
    struct stat status;
    if (settings.is_test) return stat(path, &status) < 0 ? fail_errno(why, errno, "no layer %u", layer->lun) : 0;
    bool is_there = layer->lun == 0; // since the agent's start
    if (!is_there && mkdir(path, 0700) < 0 && errno != EEXIST) return fail_errno(why, errno, "cannot make %s", path);
    struct layer_mount wanted = {layer, path};
    int error = uevents_try_until(try_to_mount, &wanted, DISK_TIMEOUT_MS);
    return error ? fail_errno(why, error, "cannot mount disk %u as %.32s", layer->lun, layer->type) : 0;
}

int layers_acquire(const message(Layer) *layer, struct failure *why) {
    size_t unused = COUNT(mounted);
    for (size_t i = 0; i < COUNT(mounted); i++) {
        if (mounted[i].users && mounted[i].lun == layer->lun) {
            mounted[i].users++;
            return 0;
        }
        if (!mounted[i].users && unused == COUNT(mounted)) unused = i;
    }
    if (unused == COUNT(mounted)) return fail(why, STATUS_RESOURCE_EXHAUSTED, "too many layers");
    int error = layers_mount(layer, why);
    if (error) return error;
    mounted[unused].lun = layer->lun;
    mounted[unused].users = 1;
    return 0;
}

void layers_release(uint32_t lun) {
    char path[256];
    for (size_t i = 0; i < COUNT(mounted); i++) {
        if (!mounted[i].users || mounted[i].lun != lun) continue;
        if (--mounted[i].users > 0 || settings.is_test) return;
        layer_path(path, sizeof path, lun);
        // Nobody looks at it any more; should that be wrong, it goes when the last one does.
        if (umount2(path, 0) < 0) umount2(path, MNT_DETACH);
        if (lun != 0) rmdir(path);
        return;
    }
}

int layers_forget_root_disk(struct failure *why) {
    static const struct timespec pause = {.tv_nsec = 1000000};
    AUTO_CLOSE int fd = -1;
    if (settings.is_test) return 0;
    // Exclusive: refused for as long as a file system has it.
    for (int waited = 0; (fd = open(ROOT_DISK, O_RDONLY | O_EXCL | O_CLOEXEC)) < 0 && errno == EBUSY && waited < UNMOUNT_TIMEOUT_MS; waited++) {
        nanosleep(&pause, NULL);
    }
    if (fd < 0 && errno == ENOENT) return 0;
    return fd < 0 || ioctl(fd, BLKFLSBUF, 0) < 0 ? fail_errno(why, errno, "cannot forget what was read from the root disk") : 0;
}
