#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

// linux/if_tun.h, which musl does not have.
enum { IFF_TAP = 2, IFF_NO_PI = 0x1000, IFF_VNET_HDR = 0x4000 };
static const unsigned long TUNSETIFF = 0x400454ca;

static const char TUN[] = "/dev/net/tun";
// Covered in a mount namespace of a child's own, which ends with it.
static const char SYS[] = "/sys";

// A tap is named to the kernel in the network namespace that holds it.
static int open_tap(const struct tap_request *tap) {
  struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
  if (strlen(tap->name) >= sizeof request.ifr_name) return -ENAMETOOLONG;
  strncpy(request.ifr_name, tap->name, sizeof request.ifr_name - 1);
  int fd = open(TUN, O_RDWR | O_CLOEXEC);
  if (fd < 0) return -errno;
  if (ioctl(fd, (int)TUNSETIFF, &request) == 0) return fd;
  int error = -errno;
  close(fd);
  return error;
}

static int read_device_number(const char *path, dev_t *number) {
  char text[32];
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  ssize_t length = read(fd, text, sizeof text - 1);
  int error = length < 0 ? -errno : 0;
  close(fd);
  if (error != 0) return error;
  text[length] = '\0';
  unsigned major_number, minor_number;
  if (sscanf(text, "%u:%u", &major_number, &minor_number) != 2) return -EINVAL;
  *number = makedev(major_number, minor_number);
  return 0;
}

// A macvtap is a device of its own, whose number only the sysfs of its network namespace knows.
static int open_macvtap(const struct tap_request *tap) {
  char path[PATH_MAX];
  dev_t number = 0;
  if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
      mount("sysfs", SYS, "sysfs", 0, NULL) != 0) {
    return -errno;
  }
  int length = snprintf(path, sizeof path, "%s/class/net/%s/tap%u/dev", SYS, tap->name, tap->index);
  if (length < 0 || (size_t)length >= sizeof path) return -ENAMETOOLONG;
  int error = read_device_number(path, &number);
  if (error != 0) return error;
  if (mount("tmpfs", SYS, "tmpfs", 0, "size=64k") != 0 || chdir(SYS) != 0 ||
      mknod("tap", S_IFCHR | 0600, number) != 0) {
    return -errno;
  }
  int fd = open("tap", O_RDWR | O_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

static int open_in_namespace(const void *argument) {
  const struct tap_request *tap = argument;
  int error = enter_namespace(tap->namespace, CLONE_NEWNET);
  if (error != 0) return error;
  int fd = tap->index == 0 ? open_tap(tap) : open_macvtap(tap);
  return fd < 0 ? fd : leave_at(fd, tap->fd);
}

int open_taps(const struct run_options *options) {
  for (size_t i = 0; i < options->tap_count; i++) {
    int error = run_elsewhere(open_in_namespace, &options->taps[i]);
    if (error != 0) return error;
  }
  return 0;
}
