// Device nodes of a container, and the links that a /dev of its own needs.
#pragma once

#include "base/base.h"
#include "base/messages.h"

int devices_make(int root, const message(DeviceNode) *nodes, size_t count, struct failure *why);
int devices_make_links(int root, struct failure *why);
