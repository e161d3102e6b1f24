// The kernel's newer mount interface (linux/mount.h), which musl does not declare.
#pragma once

#include <fcntl.h>
#include <stdint.h>
#include <sys/mount.h>

#define RECURSIVELY 0x8000U  // AT_RECURSIVE

// The other C library does, and the sanitizers come with that one.
#ifndef MOUNT_ATTR_SIZE_VER0
#define OPEN_TREE_CLONE 1U
#define OPEN_TREE_CLOEXEC 02000000U
#define MOVE_MOUNT_F_EMPTY_PATH 4U
#define MOUNT_ATTR_RDONLY 1U
#define MOUNT_ATTR_NOSUID 2U
#define MOUNT_ATTR_NODEV 4U
#define MOUNT_ATTR_NOEXEC 8U

struct mount_attr {
  uint64_t attr_set;
  uint64_t attr_clr;
  uint64_t propagation;
  uint64_t userns_fd;
};
#endif
