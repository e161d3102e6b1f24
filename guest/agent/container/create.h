// Making containers.
#pragma once

#include "state/container.h"

// Builds the container up to the point just before exec.
// `encoded` is the same request as it came.
int container_create(const message(CreateContainerRequest) *request, struct span encoded, uint32_t *pid, struct failure *why);
