// Filesystems, each mounted; loop devices, device mapper, terminals.
#include "probe.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static int mount_at(const char *name, const char *type, const char *source, const char *options) {
    char target[64];
    snprintf(target, sizeof target, "/mnt/%s", name);
    mkdir("/mnt", 0755);
    mkdir(target, 0755);
    unsigned long flags = strncmp(source, "/dev/sd", 7) == 0 ? MS_RDONLY : 0;
    int result = mount(source, target, type, flags, options);
    report(name, result);
    return result;
}

// Disks are probed side by side, so their names come in any order; their numbers on the bus do not.
static void find_disk(int number, char *path, size_t size) {
    char folder[64];
    snprintf(folder, sizeof folder, "/sys/bus/scsi/devices/0:0:0:%d/block", number);
    DIR *directory = opendir(folder);
    snprintf(path, size, "/dev/no-disk-%d", number);
    for (struct dirent *entry = NULL; directory && (entry = readdir(directory));) {
        if (entry->d_name[0] != '.') snprintf(path, size, "/dev/%.20s", entry->d_name);
    }
    if (directory) closedir(directory);
}

// The test put the same file into every image.
static void mount_image(const char *name, const char *type, int number) {
    char path[64], disk[32] = "share";
    if (number >= 0) find_disk(number, disk, sizeof disk);
    if (mount_at(name, type, disk, NULL) < 0) return;
    snprintf(path, sizeof path, "/mnt/%s/message", name);
    errno = EBADMSG;
    char label[64];
    snprintf(label, sizeof label, "%s content", name);
    report(label, strncmp(read_file(path), "the message", 11) == 0 ? 0 : -1);
}

static void check_tmpfs(void) {
    if (mount_at("tmpfs", "tmpfs", "none", NULL) < 0) return;
    write_file("/mnt/tmpfs/file", "x");
    report("tmpfs attributes", setxattr("/mnt/tmpfs/file", "trusted.probe", "1", 1, 0));
    // user::rw- user:1:r-- group::--- mask::r-- other::---, as acl(5) and linux/posix_acl_xattr.h describe it
    static const unsigned char acl[] = {2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 1, 0, 0, 0, 4, 0, 0, 0,
                                        255, 255, 255, 255, 16, 0, 4, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255};
    report("tmpfs access lists", setxattr("/mnt/tmpfs/file", "system.posix_acl_access", acl, sizeof acl, 0));
}

static void check_overlay(void) {
    mkdir("/mnt/tmpfs/upper", 0755);
    mkdir("/mnt/tmpfs/work", 0755);
    const char *options = "lowerdir=/mnt/erofs-lz4,upperdir=/mnt/tmpfs/upper,workdir=/mnt/tmpfs/work";
    if (mount_at("overlay", "overlay", "none", options) < 0) return;
    write_file("/mnt/overlay/message", "another");
    report("overlay copy-up", access("/mnt/tmpfs/upper/message", F_OK));
}

static void check_fuse(void) {
    int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    report("/dev/fuse", fd);
    char options[128];
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
    mount_at("fuse", "fuse", "none", options);
}

static void check_loop(void) {
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    report("/dev/loop-control", control);
    int number = ioctl(control, LOOP_CTL_GET_FREE);
    char path[32];
    snprintf(path, sizeof path, "/dev/loop%d", number);
    write_file("/mnt/tmpfs/disk", "a disk");
    int file = open("/mnt/tmpfs/disk", O_RDWR | O_CLOEXEC);
    if (truncate("/mnt/tmpfs/disk", 65536) < 0) report("disk of the loop", -1);
    int loop = open(path, O_RDWR | O_CLOEXEC);
    report("loop", ioctl(loop, LOOP_SET_FD, file));
}

static void check_verity(void) {
    int control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
    struct dm_ioctl *request = calloc(1, 16384);
    if (!request) return;
    memcpy(request->version, (unsigned[]){4, 0, 0}, sizeof request->version);
    request->data_size = 16384;
    request->data_start = sizeof *request;
    int result = ioctl(control, DM_LIST_VERSIONS, request);
    char *target = (char *)request + request->data_start;
    bool found = false;
    for (unsigned next = 1; result == 0 && !found && next != 0; target += next) {
        struct dm_target_versions *versions = (struct dm_target_versions *)target;
        found = strcmp(versions->name, "verity") == 0;
        next = versions->next;
    }
    if (result == 0) errno = ENOENT;
    report("dm-verity", found ? 0 : -1);
    free(request);
}

static void check_binfmt(void) {
    if (mount_at("binfmt_misc", "binfmt_misc", "none", NULL) < 0) return;
    write_file("/mnt/binfmt_misc/register", ":probe:E::probe::/init:");
    report("binfmt_misc format", access("/mnt/binfmt_misc/probe", F_OK));
}

void check_files(void) {
    check_tmpfs();
    mount_image("ext4", "ext4", 0);
    mount_image("ext2", "ext2", 1);
    mount_image("erofs-lz4", "erofs", 2);
    mount_image("squashfs-zstd", "squashfs", 3);
    mount_image("squashfs-gzip", "squashfs", 4);
    mount_image("squashfs-xz", "squashfs", 5);
    mount_image("squashfs-lz4", "squashfs", 6);
    check_overlay();
    mount_image("9p", "9p", -1);
    check_fuse();
    check_loop();
    check_verity();
    check_binfmt();
    mount_at("mqueue", "mqueue", "none", NULL);
    mount_at("hugetlbfs", "hugetlbfs", "none", NULL);
    mount_at("devpts", "devpts", "none", "newinstance");
    tell("filesystems", strstr(read_file("/proc/filesystems"), "virtiofs") ? "virtiofs" : "no virtiofs");
    report("root disk", open("/dev/vda", O_RDONLY | O_CLOEXEC));
    report("random numbers of the host", open("/dev/hwrng", O_RDONLY | O_CLOEXEC));
    report("agent's port", open("/dev/vport0p1", O_RDWR | O_CLOEXEC));
    report("configuration", access("/proc/config.gz", R_OK));
}
