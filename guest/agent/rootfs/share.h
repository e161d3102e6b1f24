// The folder that the host shares with the sandbox: root file systems and sources of bind mounts, by name.
#pragma once

#include "base/base.h"
#include "base/messages.h"

// Whether the container's root, or what is bound into it, lies in the share.
bool share_is_wanted(const message(CreateContainerRequest) *request);
// Mounts the share unless it is mounted already, and counts its user.
int share_acquire(struct failure *why);
// Unmounts when the last user has gone.
void share_release(void);
// What `source`, a path below /run/wardian/share, names in the share; NULL when it lies elsewhere.
const char *share_relative(const char *source);
// Opens (O_PATH) what lies in the share: no link is followed on the way, and no path leads out. -errno
int share_open(const char *path);
