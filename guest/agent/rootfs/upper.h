// The directory that takes a container's writes, before the overlay lies on it.
#pragma once

#include "base/base.h"
#include "base/messages.h"

// Writes the file straight into `upper`, which is to lie over the one layer `lower`: there a file costs its own making, through
// the overlay a copy of the directory around it and a detour for each step. 1: done; 0: it must be written
// through the overlay, because what the layer has there is not plain; -errno.
int upper_write(int upper, int lower, const message(InjectedFile) *file);
// Writes everything to a file and gives it its owner and mode, as far as they are not root's and `mode` already.
int upper_fill(int fd, const message(InjectedFile) *file);
