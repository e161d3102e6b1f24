#include "launcher.h"
#include "mount-api.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// The VMM is given the folder as a tree of mounts of its own: nothing leads out of it, not even "..", and no device or
// program in it is one for the VMM. It is a slave of where it came from: what is mounted there later is seen here too.
static int clone_share(const struct share_request *share, int *tree) {
  *tree = (int)syscall(SYS_open_tree, AT_FDCWD, share->path,
                       OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | RECURSIVELY);
  if (*tree < 0) return -errno;
  struct mount_attr attributes = {
      .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC |
                  (share->writable ? 0 : MOUNT_ATTR_RDONLY),
      .propagation = MS_SLAVE,
  };
  if (syscall(SYS_mount_setattr, *tree, "", AT_EMPTY_PATH | RECURSIVELY, &attributes,
              sizeof attributes) == 0) {
    return 0;
  }
  int error = -errno;
  close(*tree);
  return error;
}

// Who may not make mounts is not confined either, and has the folder itself.
static int open_folder(const struct share_request *share, int *folder) {
  *folder = open(share->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  return *folder < 0 ? -errno : 0;
}

static int clone_in_namespace(const void *argument) {
  const struct share_request *share = argument;
  int tree;
  int error = enter_namespace(share->namespace, CLONE_NEWNS);
  if (error == 0) error = clone_share(share, &tree);
  return error == 0 ? leave_at(tree, share->fd) : error;
}

int open_share(const struct share_request *share) {
  if (share->path == NULL) return 0;
  if (share->namespace != NULL) return run_elsewhere(clone_in_namespace, share);
  int tree;
  int error = clone_share(share, &tree);
  if (error == -EPERM) error = open_folder(share, &tree);
  return error == 0 ? leave_at(tree, share->fd) : error;
}

int attach_share(const struct share_request *share, const char *place) {
  if (share->path == NULL) return 0;
  if (mkdir(place, 0755) != 0) return -errno;
  return syscall(SYS_move_mount, share->fd, "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH) == 0 ? 0 : -errno;
}
