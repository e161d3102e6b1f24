#include "stub.h"
#include "../launcher/mount-api.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// Any folder that is always there may carry the new root until it becomes "/".
static const char BASE[] = "/proc";

// Makes "./a/b/c" for "/a/b/c".
static int make_folders(char *path) {
  for (char *slash = path + 2; slash != NULL;) {
    slash = strchr(slash, '/');
    if (slash != NULL) *slash = '\0';
    if (mkdir(path, 0755) != 0 && errno != EEXIST) return -errno;
    if (slash != NULL) *slash++ = '/';
  }
  return 0;
}

// The same mount at the same path below the new root: who has it open, as the machine has, notices nothing.
static int move_share(const char *path) {
  char place[PATH_MAX];
  int length = snprintf(place, sizeof place, ".%s", path);
  if (length < 0 || (size_t)length >= sizeof place) return -ENAMETOOLONG;
  int share = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (share < 0) return -errno;
  int error = make_folders(place);
  if (error == 0 && syscall(SYS_move_mount, share, "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH) != 0) error = -errno;
  close(share);
  return error;
}

static int change_root(const struct options *options, int proc) {
  if (mount("wardian", BASE, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0755,size=1m") != 0) return -errno;
  if (chdir(BASE) != 0) return -errno;
  bool has_view = make_view(options, proc) == 0;
  int error = options->share_namespace == NULL ? move_share(options->share) : 0;
  if (error != 0) return error;
  if (syscall(SYS_pivot_root, ".", ".") != 0 || umount2(".", MNT_DETACH) != 0) return -errno;
  // A courtesy to engines; the container runs without it.
  if (has_view) raise_view();
  return 0;
}

static int leave_mounts(const struct options *options) {
  int proc = open(BASE, O_PATH | O_DIRECTORY | O_CLOEXEC);
  int error = proc < 0 ? -errno : change_root(options, proc);
  close_descriptor(&proc);
  return error;
}

int shed_mounts(const struct options *options, const struct home *home) {
  int error = options->share == NULL ? 0 : leave_mounts(options);
  if (error != 0) return fail("cannot let go of", "the host's mounts", error);
  // The sandboxer's socket is reached from here, whatever the root is.
  return fchdir(home->folder) == 0 ? 0 : fail("cannot change to", options->socket, -errno);
}
