#include "launcher.h"
#include "mount-api.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// Any folder that is always there may carry the new root until it becomes "/".
static const char BASE[] = "/proc";
static const char DESCRIPTORS[] = "/proc/self/fd";

// A detached copy of what is at `path`, so that it can still be reached when BASE is covered.
static int open_visible(const char *path) {
  int tree = (int)syscall(SYS_open_tree, AT_FDCWD, path,
                          OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | RECURSIVELY);
  if (tree < 0) return -errno;
  bool is_device = strncmp(path, "/dev/", 5) == 0;
  struct mount_attr attributes = {
      .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | (is_device ? 0 : MOUNT_ATTR_NODEV),
  };
  if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | RECURSIVELY, &attributes,
              sizeof attributes) != 0) {
    int error = -errno;
    close(tree);
    return error;
  }
  return tree;
}

// Makes the folders above the last component of an absolute path, inside the new root.
static int make_parents(const char *path) {
  char partial[4096];
  size_t length = strlen(path);
  if (length >= sizeof partial - 1) return -ENAMETOOLONG;
  partial[0] = '.';
  memcpy(partial + 1, path, length + 1);
  for (char *slash = strchr(partial + 2, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    if (mkdir(partial, 0755) != 0 && errno != EEXIST) return -errno;
    *slash = '/';
  }
  return 0;
}

static int make_mount_point(const char *relative, int tree) {
  struct stat status;
  if (fstat(tree, &status) != 0) return -errno;
  if (S_ISDIR(status.st_mode)) return mkdir(relative, 0755) == 0 || errno == EEXIST ? 0 : -errno;
  int fd = open(relative, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return -errno;
  close(fd);
  return 0;
}

static int place_visible(const char *path, int tree) {
  char relative[4096];
  int length = snprintf(relative, sizeof relative, ".%s", path);
  if (length < 0 || (size_t)length >= sizeof relative) return -ENAMETOOLONG;
  int error = make_parents(path);
  if (error == 0) error = make_mount_point(relative, tree);
  if (error != 0) return error;
  return syscall(SYS_move_mount, tree, "", AT_FDCWD, relative, MOVE_MOUNT_F_EMPTY_PATH) == 0 ? 0 : -errno;
}

// On a merged-/usr system /lib and its like are links; they are made again as what they are.
static int copy_link(const char *path, bool *is_link, char *target, size_t size) {
  ssize_t length = readlink(path, target, size - 1);
  *is_link = length >= 0;
  if (length >= 0) target[length] = '\0';
  return length >= 0 || errno == EINVAL ? 0 : -errno;
}

struct visible_entry {
  int tree;  // -1: a link, or not there
  bool is_link;
  char target[256];
};

// What is not on this host need not be seen; the VMM will say if it misses it.
static int collect(const struct run_options *options, struct visible_entry *entries) {
  for (size_t i = 0; i < options->visible_count; i++) {
    struct visible_entry *entry = &entries[i];
    entry->tree = -1;
    int error = copy_link(options->visible[i], &entry->is_link, entry->target, sizeof entry->target);
    if (error == 0 && !entry->is_link) entry->tree = error = open_visible(options->visible[i]);
    if (error < 0 && error != -ENOENT) return error;
  }
  return 0;
}

static int populate(const struct run_options *options, const struct visible_entry *entries) {
  for (size_t i = 0; i < options->visible_count; i++) {
    const char *path = options->visible[i];
    int error = 0;
    if (entries[i].tree >= 0) {
      error = place_visible(path, entries[i].tree);
      close(entries[i].tree);
    } else if (entries[i].is_link) {
      error = make_parents(path);
      if (error == 0 && symlink(entries[i].target, path + 1) != 0) error = -errno;
    }
    if (error != 0) return error;
  }
  return 0;
}

static int enter_new_root(void) {
  if (syscall(SYS_pivot_root, ".", ".") != 0) return -errno;
  if (umount2(".", MNT_DETACH) != 0 || chdir("/") != 0) return -errno;
  struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
  return syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, &attributes, sizeof attributes) == 0 ? 0 : -errno;
}

static int write_file(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  ssize_t length = (ssize_t)strlen(text);
  int error = write(fd, text, (size_t)length) == length ? 0 : -errno;
  close(fd);
  return error;
}

static int map_own_id(const char *path, unsigned id) {
  char line[40];
  int length = snprintf(line, sizeof line, "%u %u 1\n", id, id);
  return length < 0 ? -EINVAL : write_file(path, line);
}

// Whoever is not root gets the right to make namespaces from a user namespace, in which there is nobody else.
// The rights in it go at exec: programs of a user other than root start without.
static int enter_user_namespace(void) {
  unsigned uid = geteuid();
  unsigned gid = getegid();
  if (unshare(CLONE_NEWUSER) != 0) return -errno;
  int error = write_file("/proc/self/setgroups", "deny");
  if (error == 0) error = map_own_id("/proc/self/uid_map", uid);
  return error != 0 ? error : map_own_id("/proc/self/gid_map", gid);
}

int enter_private_mounts(void) {
  int error = geteuid() == 0 ? 0 : enter_user_namespace();
  if (error != 0) return error;
  return unshare(CLONE_NEWNS) == 0 ? 0 : -errno;
}

static int enter_namespaces(void) {
  int error = geteuid() == 0 ? 0 : enter_user_namespace();
  if (error != 0) return error;
  if (unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET) != 0) return -errno;
  return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 ? 0 : -errno;
}

int isolate(const struct run_options *options) {
  struct visible_entry entries[MAX_VISIBLE];
  int error = enter_namespaces();
  if (error != 0) return error;
  error = open_share(&options->share);
  if (error == 0) error = collect(options, entries);
  if (error != 0) return error;
  // The VMM opens its inherited descriptors by name; nothing else of /proc is its business.
  int descriptors = open_visible(DESCRIPTORS);
  if (descriptors < 0) return descriptors;
  if (mount("tmpfs", BASE, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m") != 0) {
    return -errno;
  }
  if (chdir(BASE) != 0) return -errno;
  error = populate(options, entries);
  if (error == 0) error = place_visible(DESCRIPTORS, descriptors);
  close(descriptors);
  if (error == 0) error = attach_share(&options->share, "share");
  return error != 0 ? error : enter_new_root();
}

// Says "ok" when this user can be isolated here, after trying it: permissions, limits and security modules all have a say.
int command_isolation(void) {
  const struct run_options nothing = {0};
  int error = isolate(&nothing);
  if (error == 0 && write(REPORT_FD, "ok\n", 3) == 3) return 0;
  report_failure("cannot isolate a machine", error);
  return 125;
}
