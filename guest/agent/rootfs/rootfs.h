// The root file system of a container, built in the container's own mount namespace.
#pragma once

#include "base/base.h"
#include "base/messages.h"

// Of a request's files, as many can be written ahead.
enum { WRITTEN_AHEAD_LIMIT = 64 };

// Mounts the file system that will take the writes, with the directories in it.
int rootfs_mount_scratch(struct failure *why);
// Writes files of a request without mounts of its own before the overlay is there, where that makes no difference; stores
// which in bits.
int rootfs_write_ahead(const message(CreateContainerRequest) *request, uint64_t *written, struct failure *why);
// Mounts the writable layer over the read-only ones, or the folder of the share; stores the root directory (O_PATH).
int rootfs_mount(const message(Rootfs) *rootfs, int *root, struct failure *why);
// What a container finds around its image: mounts, nodes, links.
int rootfs_surround(int root, const message(CreateContainerRequest) *request, struct failure *why);
// The request's mounts from the one with this index on.
int rootfs_mount_from(int root, const message(CreateContainerRequest) *request, size_t first, struct failure *why);
// Hidden and read-only paths.
int rootfs_hide(int root, const message(CreateContainerRequest) *request, struct failure *why);
// Takes the surroundings that were made for `spare` below `from` and puts them into the root.
int rootfs_take_surroundings(int root, int from, const message(CreateContainerRequest) *spare, struct failure *why);
// What is the container's own: files but those `written` ahead, and working directory.
int rootfs_furnish(int root, const message(CreateContainerRequest) *request, uint64_t written, struct failure *why);
// Makes the root "/" and lets go of the guest's own file systems.
int rootfs_enter(int root, const message(CreateContainerRequest) *request, struct failure *why);
