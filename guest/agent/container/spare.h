// A container that was made ready before the snapshot, as far as it can be without an image. In a fresh clone most of the
// kernel's code for processes, namespaces, cgroups and mounts would run for the first time, which under emulation is slow.
#pragma once

#include "state/container.h"

// Makes the spare container. Only what protocol/agent.proto names of the request counts.
// Takes the request's content over: what it leaves behind is empty.
int spare_prepare(message(CreateContainerRequest) *request, struct failure *why);
// The spare container, now the request's and still without an image; NULL when there is none that fits.
struct container *spare_take(const message(CreateContainerRequest) *request, size_t encoded_size);
// Gives its cgroup the request's limits, as far as it has others yet.
int spare_limit(struct container *container, const message(CreateContainerRequest) *request, struct failure *why);
// Gives its process the request, which it carries out up to its exec.
int spare_hand_over(struct container *container, const message(CreateContainerRequest) *request, struct span encoded, struct failure *why);
