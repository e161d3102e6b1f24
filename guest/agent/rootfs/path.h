// Paths of a container, resolved inside its root by the kernel (openat2(2), RESOLVE_IN_ROOT), so that no symbolic link
// and no ".." leads out. All functions return a descriptor that is closed on exec, or -errno.
#pragma once

#include <stdint.h>
#include <stdbool.h>
#include <sys/types.h>

// Whether `path` lies inside the directory `above`; both are absolute and without "..".
bool path_is_below(const char *path, const char *above);
int path_open(int root, const char *path, uint64_t flags, mode_t mode);
// Opens a directory (O_PATH), making it and its parents when missing: also where a link leads to nothing yet.
int path_make_directory(int root, const char *path, mode_t mode);
// Opens the directory that holds `path` (made when missing), and stores where the last component begins.
// -EINVAL when there is no last component, or when it is "." or "..".
int path_make_parent(int root, const char *path, const char **name);
// Opens a file (O_PATH), making an empty one when missing, also where a link leads to nothing yet.
int path_make_file(int root, const char *path, mode_t mode);
