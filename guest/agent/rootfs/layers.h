// Read-only image layers: disks of the sandbox, mounted once and shared by the containers that use them.
#pragma once

#include "base/base.h"
#include "base/messages.h"

// Mounts a layer in the present mount namespace, for rootfs_mount.
int layers_mount(const message(Layer) *layer, struct failure *why);

// Mounts a layer unless it is mounted already, and counts its user. Waits for a disk that is still on its way.
int layers_acquire(const message(Layer) *layer, struct failure *why);
// Unmounts when the last user has gone.
void layers_release(uint32_t lun);
// Drops all that was read from the root disk, which may be another one afterwards. Fails while it is mounted.
int layers_forget_root_disk(struct failure *why);
