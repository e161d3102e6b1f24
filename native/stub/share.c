#include "stub.h"
#include "../launcher/mount-api.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// What the share itself holds are mount points; the clones keep the attributes of what they are clones of, without devices.
static int mount_empty(const char *path) {
  if (mkdir(path, 0700) != 0 && errno != EEXIST) return fail("cannot make the folder", path, -errno);
  if (mount("wardian", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0755") == 0) return 0;
  return fail("cannot mount the share at", path, -errno);
}

static int make_mount_point(int folder, const char *name, int tree) {
  struct stat status;
  if (fstat(tree, &status) != 0) return -errno;
  if (S_ISDIR(status.st_mode)) return mkdirat(folder, name, 0755) == 0 ? 0 : -errno;
  int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) return -errno;
  close(fd);
  return 0;
}

static int attach(int folder, const char *name, int tree) {
  int error = make_mount_point(folder, name, tree);
  if (error != 0) return error;
  return syscall(SYS_move_mount, tree, "", folder, name, MOVE_MOUNT_F_EMPTY_PATH) == 0 ? 0 : -errno;
}

static int clone_tree(const char *path, bool recursive) {
  unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? RECURSIVELY : 0);
  int tree = (int)syscall(SYS_open_tree, AT_FDCWD, path, flags);
  return tree < 0 ? -errno : tree;
}

// The VMM may make nodes, and must not open one as a device of the host. The guest obeys its own mounts, not these.
static int forbid_devices(int tree) {
  struct mount_attr attributes = {.attr_set = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID};
  return syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | RECURSIVELY, &attributes, sizeof attributes) == 0 ? 0 : -errno;
}

// Its layers are folders of the host: the guest cannot put them together.
static int mount_overlay(int folder, const char *name, const char *options) {
  int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (here < 0) return -errno;
  int error = mkdirat(folder, name, 0755) == 0 && fchdir(folder) == 0 ? 0 : -errno;
  if (error == 0 && mount("overlay", name, "overlay", MS_NODEV | MS_NOSUID, options) != 0) error = -errno;
  if (fchdir(here) != 0 && error == 0) error = -errno;
  close(here);
  return error == 0 ? 0 : fail("cannot mount an overlay of", options, error);
}

static int share_path(int folder, const struct bind *bind) {
  char name[256];
  memcpy(name, bind->name, bind->name_length);
  name[bind->name_length] = '\0';
  if (bind->overlay) return mount_overlay(folder, name, bind->path);
  int tree = clone_tree(bind->path, bind->recursive);
  int error = tree < 0 ? tree : forbid_devices(tree);
  if (error == 0 && bind->readonly) {
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
    if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes) != 0) error = -errno;
  }
  if (error == 0) error = attach(folder, name, tree);
  close_descriptor(&tree);
  return error == 0 ? 0 : fail("cannot share", bind->path, error);
}

static int fill(int folder, const struct options *options) {
  // Writable even where the container may only read it: the guest still has to make mount points in it.
  struct bind rootfs = {.name = "rootfs", .name_length = 6, .path = options->rootfs, .recursive = true};
  int error = share_path(folder, &rootfs);
  struct bind bind;
  int index = 0;
  while (error == 0 && next_bind(options, &index, &bind)) error = share_path(folder, &bind);
  return error;
}

static int open_folder(const char *path) {
  int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  return fd < 0 ? fail("cannot open", path, -errno) : fd;
}

// The share of a sandbox's own container: DIR is a mount of this namespace, and ends with it.
static int make_share(const struct options *options) {
  // The machine's own view of it is a slave of this one, and sees the folders of containers that join later.
  if (mount(NULL, options->share, NULL, MS_SHARED, NULL) != 0) return fail("cannot share the mount", options->share, -errno);
  int share = open_folder(options->share);
  if (share < 0) return share;
  int error = 0;
  int folder = -1;
  if (mkdirat(share, options->folder, 0755) != 0) error = fail("cannot make", options->folder, -errno);
  if (error == 0) {
    folder = openat(share, options->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    error = folder < 0 ? fail("cannot open", options->folder, -errno) : fill(folder, options);
  }
  close_descriptor(&folder);
  close(share);
  return error;
}

static int enter(int namespace, const char *name) {
  return setns(namespace, CLONE_NEWNS) == 0 ? 0 : fail("cannot enter the mount namespace", name, -errno);
}

// The share as the other stub sees it: below what it shows to those who enter its namespace (view.c).
static int open_place(const struct options *options) {
  char path[PATH_MAX];
  const char *end = strstr(options->share_namespace, "/ns/mnt");
  if (end == NULL) return fail("is no process's mount namespace:", options->share_namespace, -EINVAL);
  int process = (int)(end - options->share_namespace);
  int length = snprintf(path, sizeof path, "%.*s/root%s", process, options->share_namespace, options->share);
  return length < 0 || (size_t)length >= sizeof path ? -ENAMETOOLONG : open_folder(path);
}

static int open_joined(const struct options *options, struct joined_share *joined) {
  joined->other = open(options->share_namespace, O_RDONLY | O_CLOEXEC);
  if (joined->other < 0) return fail("cannot open", options->share_namespace, -errno);
  joined->place = open_place(options);
  return joined->place < 0 ? joined->place : 0;
}

static int attach_in_share(const struct options *options, int tree, struct joined_share *joined) {
  int error = attach(joined->place, options->folder, tree);
  if (error == 0) return 0;
  close_descriptor(&joined->place);
  return fail("cannot attach to the share", options->share, error);
}

// The share of another container's sandbox gets one more folder: a mount in that container's namespace, made here.
static int join_share(const struct options *options, struct joined_share *joined) {
  int folder = open_folder(options->share);
  if (folder < 0) return folder;
  int error = fill(folder, options);
  close(folder);
  if (error != 0) return error;
  joined->own = open_own_namespace("mnt");
  if (joined->own < 0) return joined->own;
  error = open_joined(options, joined);
  if (error != 0) return error;
  int tree = clone_tree(options->share, true);
  if (tree < 0) return fail("cannot clone", options->share, tree);
  error = enter(joined->other, options->share_namespace);
  if (error == 0) {
    error = attach_in_share(options, tree, joined);
    int back = enter(joined->own, "of its own");
    if (error == 0) error = back;
  }
  close(tree);
  // What is left of it here goes with all other mounts.
  return error;
}

int assemble_share(const struct options *options, struct home *home, struct joined_share *joined) {
  if (options->share == NULL) return 0;
  home->mount = open_own_namespace("mnt");
  if (home->mount < 0) return home->mount;
  if (unshare(CLONE_NEWNS) != 0) return fail("cannot make a namespace:", "mnt", -errno);
  // What the host mounts later still arrives here; what we mount does not arrive there.
  if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) != 0) return fail("cannot change the mount", "/", -errno);
  int error = mount_empty(options->share);
  if (error != 0) return error;
  return options->share_namespace == NULL ? make_share(options) : join_share(options, joined);
}

void leave_share(const struct options *options, struct joined_share *joined) {
  if (joined->place < 0 || setns(joined->other, CLONE_NEWNS) != 0) return;
  // The sandbox may be gone with all its mounts, and then there is nothing to undo.
  if (fchdir(joined->place) != 0 || umount2(options->folder, MNT_DETACH | UMOUNT_NOFOLLOW) != 0) return;
  rmdir(options->folder);
}

int clear_share(const struct options *options) {
  struct joined_share joined = {.place = -1, .other = -1, .own = -1};
  int error = open_joined(options, &joined);
  if (error == 0) leave_share(options, &joined);
  // The sandbox has ended with all that was in it.
  return error == -ENOENT ? 0 : error;
}
