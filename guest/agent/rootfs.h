// The root file system of a container, built in the container's own mount namespace.
#pragma once

#include "base.h"
#include "messages.h"

// Mounts the writable layer over the read-only ones; stores the root directory (O_PATH).
int rootfs_mount(const message(Rootfs) *rootfs, int *root, struct failure *why);
// Everything that the request asks for inside the root: mounts, nodes, files, hidden paths.
int rootfs_furnish(int root, const message(CreateContainerRequest) *request, struct failure *why);
// Makes the root "/" and lets go of the guest's own file systems.
int rootfs_enter(int root, const message(CreateContainerRequest) *request, struct failure *why);
