#include "stub.h"
#include "../launcher/mount-api.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// The view: what engines find when they enter the stub's mount namespace, as they do to copy files into a container that
// runs (podman cp) or to list its processes (podman top). It is the container's root file system with its binds at
// their places, and in /proc nothing but the stub. What the guest alone has mounted, it does not show.
//
// It is mounted on top of "/", where whoever enters arrives; the stub itself, and who goes by its /proc/PID/root,
// stays below it.

// linux/openat2.h, which musl does not have.
struct open_how {
  uint64_t flags;
  uint64_t mode;
  uint64_t resolve;
};

enum { NO_XDEV = 1, NO_MAGICLINKS = 2, NO_SYMLINKS = 4, BENEATH = 8, IN_ROOT = 16 };

static const char VIEW[] = "view";
static const char PROCESSES[] = "processes";

// The root file system is the container's: no link in it leads anywhere else.
static int open_inside(int root, const char *path, uint64_t resolve) {
  struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = resolve};
  int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
  return fd < 0 ? -errno : fd;
}

static int clone_at(int folder, const char *path, unsigned flags) {
  int tree = (int)syscall(SYS_open_tree, folder, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);
  if (tree < 0) return -errno;
  // Otherwise what is mounted here would be mounted in the share, too.
  struct mount_attr attributes = {.propagation = MS_PRIVATE};
  if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | flags, &attributes, sizeof attributes) == 0) return tree;
  int error = -errno;
  close(tree);
  return error;
}

static int mount_tree(int tree, int place) {
  const unsigned to_descriptor = 0x40;  // MOVE_MOUNT_T_EMPTY_PATH
  return syscall(SYS_move_mount, tree, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | to_descriptor) == 0 ? 0 : -errno;
}

static int clone_to(int from, const char *path, int place) {
  int tree = clone_at(from, path, 0);
  int error = tree < 0 ? tree : mount_tree(tree, place);
  close_descriptor(&tree);
  return error;
}

static void show_bind(int share, int view, const struct bind *bind) {
  char name[256];
  memcpy(name, bind->name, bind->name_length);
  name[bind->name_length] = '\0';
  int place = open_inside(view, bind->path, IN_ROOT | NO_MAGICLINKS);
  int tree = clone_at(share, name, RECURSIVELY);
  // A place that the guest has not made, or has another kind of file at, shows what is there.
  if (place >= 0 && tree >= 0) mount_tree(tree, place);
  close_descriptor(&tree);
  close_descriptor(&place);
}

// One entry of the host's /proc at the same place below `folder`.
static int show_process_file(int proc, int folder, const char *name, bool is_folder) {
  if (is_folder ? mkdirat(folder, name, 0755) != 0 : mknodat(folder, name, S_IFREG | 0444, 0) != 0) return -errno;
  int place = open_inside(folder, name, BENEATH);
  int error = place < 0 ? place : clone_to(proc, name, place);
  close_descriptor(&place);
  return error;
}

static int show_processes(int proc, int view) {
  char pid[16];
  snprintf(pid, sizeof pid, "%d", getpid());
  // Of no use without the other: links below /proc are a container's own affair.
  int place = open_inside(view, "proc", BENEATH | NO_SYMLINKS | NO_XDEV);
  if (place < 0) return place;
  int folder = mkdir(PROCESSES, 0755) == 0 ? open(PROCESSES, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
  int error = folder < 0 ? -errno : show_process_file(proc, folder, pid, true);
  static const char *const files[] = {"stat", "uptime", "meminfo"};
  for (size_t i = 0; error == 0 && i < sizeof files / sizeof files[0]; i++) {
    error = show_process_file(proc, folder, files[i], false);
  }
  int tree = error == 0 ? clone_at(AT_FDCWD, PROCESSES, RECURSIVELY) : error;
  if (tree >= 0) error = mount_tree(tree, place);
  close_descriptor(&tree);
  close_descriptor(&folder);
  close_descriptor(&place);
  return error;
}

// In a sandbox of another container it is not below our share, but all of it.
static int open_container_folder(const struct options *options) {
  int share = open(options->share, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (share < 0) return -errno;
  if (options->share_namespace != NULL) return share;
  int folder = openat(share, options->folder, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  int error = folder < 0 ? -errno : 0;
  close(share);
  return error == 0 ? folder : error;
}

int make_view(const struct options *options, int proc) {
  if (mkdir(VIEW, 0755) != 0) return -errno;
  int folder = open_container_folder(options);
  if (folder < 0) return folder;
  int tree = clone_at(folder, "rootfs", RECURSIVELY);
  int view = open(VIEW, O_PATH | O_DIRECTORY | O_CLOEXEC);
  int error = tree < 0 ? tree : mount_tree(tree, view);
  close_descriptor(&view);
  // What cannot be shown is missing there, and nowhere else.
  if (error == 0) {
    struct bind place;
    int index = 0;
    while (next_place(options, &index, &place)) show_bind(folder, tree, &place);
    show_processes(proc, tree);
  }
  close_descriptor(&tree);
  close_descriptor(&folder);
  return error;
}

int raise_view(void) {
  int view = open(VIEW, O_PATH | O_DIRECTORY | O_CLOEXEC);
  int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  int error = view < 0 || root < 0 ? -errno : mount_tree(view, root);
  close_descriptor(&root);
  close_descriptor(&view);
  return error;
}
