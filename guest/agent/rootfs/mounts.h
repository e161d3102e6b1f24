// Mounts of a container, made in its own mount namespace before its root becomes "/".
#pragma once

#include "base/base.h"
#include "base/messages.h"

int mounts_apply(int root, const message(Mount) *mount, struct failure *why);
// Moves what is mounted at `path` below `from` to the same path below `root`, which is made when missing.
int mounts_move(int root, int from, const char *path, struct failure *why);
// Hides a path, if there is one: nothing but /dev/null or an empty directory can be read there.
int mounts_mask(int root, const char *path, struct failure *why);
// Makes a path, if there is one, and what is mounted below it read-only.
int mounts_make_read_only(int root, const char *path, struct failure *why);
// Binds `source`, a path of the guest, on an existing file or directory.
int mounts_bind_over(int target, const char *source);
