#include "rootfs/rootfs.h"

#include "base/settings.h"
#include "rootfs/devices.h"
#include "rootfs/mounts.h"
#include "rootfs/path.h"
#include "rootfs/share.h"
#include "rootfs/tree.h"
#include "rootfs/upper.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

// The kernel takes mount options of less than a page.
enum { OVERLAY_OPTIONS_SIZE = 4096 };
// Of the directory that takes the writes, until it is known over which layer it will lie.
enum { UPPER_MODE = 0755 };

// The directory that takes the writes lends the merged root its owner and mode, so it has the image's.
static int dress_upper(const char *upper, uint32_t top_lun) {
    char top[256];
    struct stat status;
    snprintf(top, sizeof top, "%s/layers/%u", settings.run_dir, top_lun);
    if (stat(top, &status) < 0) return -errno;
    mode_t mode = status.st_mode & 07777;
    if (mode != UPPER_MODE && chmod(upper, mode) < 0) return -errno;
    if ((status.st_uid || status.st_gid) && chown(upper, status.st_uid, status.st_gid) < 0) return -errno;
    return 0;
}

int rootfs_mount_scratch(struct failure *why) {
    char scratch[256], upper[272], work[272];
    snprintf(scratch, sizeof scratch, "%s/scratch", settings.run_dir);
    snprintf(upper, sizeof upper, "%s/upper", scratch);
    snprintf(work, sizeof work, "%s/work", scratch);
    if (mount("tmpfs", scratch, "tmpfs", MS_NODEV | MS_NOSUID, "mode=700") < 0) return fail_errno(why, errno, "cannot mount a tmpfs");
    return mkdir(upper, UPPER_MODE) < 0 || mkdir(work, 0700) < 0 ? fail_errno(why, errno, "cannot make %s", upper) : 0;
}

static int limit_scratch(const char *scratch, uint64_t size_bytes) {
    char options[64];
    if (!size_bytes) return 0;
    snprintf(options, sizeof options, "size=%llu", (unsigned long long)size_bytes);
    return mount(NULL, scratch, NULL, MS_REMOUNT | MS_NODEV | MS_NOSUID, options) < 0 ? -errno : 0;
}

static int overlay_options(char *options, const message(Rootfs) *rootfs, const char *upper, const char *work) {
    size_t length = 0;
    for (size_t i = 0; i < rootfs->layers_count && length < OVERLAY_OPTIONS_SIZE; i++) {
        length += (size_t)snprintf(options + length, OVERLAY_OPTIONS_SIZE - length, "%s%s/layers/%u",
                                   i ? ":" : "lowerdir=", settings.run_dir, rootfs->layers[i].lun);
    }
    if (length >= OVERLAY_OPTIONS_SIZE) return -E2BIG;
    length += (size_t)snprintf(options + length, OVERLAY_OPTIONS_SIZE - length, ",upperdir=%s,workdir=%s", upper, work);
    return length >= OVERLAY_OPTIONS_SIZE ? -E2BIG : 0;
}

// A mount of its own for a folder of the share: it can be read-only, and "/" must be one.
static int mount_folder(const char *folder, const char *target) {
    AUTO_CLOSE int found = share_open(folder);
    AUTO_CLOSE int tree = found < 0 ? found : tree_copy(found, "", true);
    AUTO_CLOSE int place = open(target, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (tree < 0) return tree;
    return place < 0 ? -errno : tree_attach(tree, place);
}

static int mount_layers(const message(Rootfs) *rootfs, const char *merged) {
    char scratch[256], upper[272], work[272], options[OVERLAY_OPTIONS_SIZE];
    snprintf(scratch, sizeof scratch, "%s/scratch", settings.run_dir);
    snprintf(upper, sizeof upper, "%s/upper", scratch);
    snprintf(work, sizeof work, "%s/work", scratch);
    int error = limit_scratch(scratch, rootfs->writable_bytes);
    if (!error) error = dress_upper(upper, rootfs->layers[0].lun);
    if (!error) error = overlay_options(options, rootfs, upper, work);
    return !error && mount("overlay", merged, "overlay", 0, options) < 0 ? -errno : error;
}

int rootfs_mount(const message(Rootfs) *rootfs, int *root, struct failure *why) {
    char merged[256];
    snprintf(merged, sizeof merged, "%s/root", settings.run_dir);
    const char *folder = text_or_empty(rootfs->folder);
    int error = folder[0] ? mount_folder(folder, merged) : mount_layers(rootfs, merged);
    if (error) return fail_errno(why, error, "cannot make the root file system");
    *root = open(merged, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return *root < 0 ? fail_errno(why, errno, "cannot open the root file system") : 0;
}

static int write_file(int root, const message(InjectedFile) *file) {
    const char *name, *path = text_or_empty(file->path);
    AUTO_CLOSE int parent = path_make_parent(root, path, &name);
    if (parent < 0) return parent;
    AUTO_CLOSE int fd = path_open(root, path, O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY | O_NONBLOCK, 0600);
    if (fd < 0) return fd;
    return upper_fill(fd, file);
}

static bool is_inside_another(const message(CreateContainerRequest) *request, const char *path) {
    for (size_t i = 0; i < request->mounts_count; i++) {
        if (path_is_below(path, request->mounts[i].destination)) return true;
    }
    return false;
}

int rootfs_write_ahead(const message(CreateContainerRequest) *request, uint64_t *written, struct failure *why) {
    char upper[272], lower[272];
    *written = 0;
    if (request->rootfs.layers_count != 1) return 0;
    snprintf(upper, sizeof upper, "%s/scratch/upper", settings.run_dir);
    snprintf(lower, sizeof lower, "%s/layers/%u", settings.run_dir, request->rootfs.layers[0].lun);
    AUTO_CLOSE int above = open(upper, O_PATH | O_DIRECTORY | O_CLOEXEC);
    AUTO_CLOSE int below = open(lower, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (above < 0 || below < 0) return fail_errno(why, errno, "cannot open a layer");
    for (size_t i = 0; i < request->files_count && i < WRITTEN_AHEAD_LIMIT; i++) {
        const message(InjectedFile) *file = &request->files[i];
        if (is_inside_another(request, text_or_empty(file->path))) continue;
        int result = upper_write(above, below, file);
        if (result < 0) return fail_errno(why, result, "cannot write %.80s", text_or_empty(file->path));
        if (result > 0) *written |= UINT64_C(1) << i;
    }
    return 0;
}

// A /dev that the host shares is the host's to furnish.
static bool has_shared_dev(const message(CreateContainerRequest) *request) {
    for (size_t i = 0; i < request->mounts_count; i++) {
        const message(Mount) *mount = &request->mounts[i];
        if (strcmp(text_or_empty(mount->destination), "/dev") == 0) return share_relative(text_or_empty(mount->source)) != NULL;
    }
    return false;
}

static int make_working_directory(int root, const char *cwd, struct failure *why) {
    int fd = path_make_directory(root, cwd, 0755);
    if (fd < 0) return fail_errno(why, fd, "cannot make the working directory %.80s", cwd);
    close(fd);
    return 0;
}

int rootfs_mount_from(int root, const message(CreateContainerRequest) *request, size_t first, struct failure *why) {
    int error = 0;
    for (size_t i = first; !error && i < request->mounts_count; i++) error = mounts_apply(root, &request->mounts[i], why);
    return error;
}

int rootfs_surround(int root, const message(CreateContainerRequest) *request, struct failure *why) {
    int error = rootfs_mount_from(root, request, 0, why);
    if (error || has_shared_dev(request)) return error;
    error = devices_make_links(root, why);
    if (!error) error = devices_make(root, request->devices, request->devices_count, why);
    return error;
}

// A mount brings along what is mounted inside it.
int rootfs_take_surroundings(int root, int from, const message(CreateContainerRequest) *spare, struct failure *why) {
    int error = 0;
    for (size_t i = 0; !error && i < spare->mounts_count; i++) {
        const char *path = spare->mounts[i].destination;
        if (!is_inside_another(spare, path)) error = mounts_move(root, from, path, why);
    }
    return error;
}

int rootfs_furnish(int root, const message(CreateContainerRequest) *request, uint64_t written, struct failure *why) {
    int error = 0;
    for (size_t i = 0; !error && i < request->files_count; i++) {
        if (i < WRITTEN_AHEAD_LIMIT && (written >> i & 1)) continue;
        error = write_file(root, &request->files[i]);
        if (error) fail_errno(why, error, "cannot write %.80s", text_or_empty(request->files[i].path));
    }
    const char *cwd = text_or_empty(request->process.cwd);
    if (!error && cwd[0] && strcmp(cwd, "/") != 0) error = make_working_directory(root, cwd, why);
    return error;
}

int rootfs_hide(int root, const message(CreateContainerRequest) *request, struct failure *why) {
    int error = 0;
    for (size_t i = 0; !error && i < request->readonly_paths_count; i++) {
        error = mounts_make_read_only(root, request->readonly_paths[i], why);
    }
    for (size_t i = 0; !error && i < request->masked_paths_count; i++) {
        error = mounts_mask(root, request->masked_paths[i], why);
    }
    return error;
}

// The old root is put on top of the new one and taken away at once: nothing of the guest stays within reach.
int rootfs_enter(int root, const message(CreateContainerRequest) *request, struct failure *why) {
    int error = fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ? -errno : 0;
    if (!error && chdir("/") < 0) error = -errno;
    if (!error && request->rootfs.read_only) {
        error = mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0 ? -errno : 0;
    }
    if (!error && request->rootfs_propagation) {
        error = mount(NULL, "/", NULL, request->rootfs_propagation, NULL) < 0 ? -errno : 0;
    }
    return error ? fail_errno(why, error, "cannot enter the root file system") : 0;
}
