// What a sandbox's network is told: addresses, routes, neighbours.
#pragma once

#include "base/base.h"
#include "base/messages.h"

// Carries out the whole request, in its order; the first thing that fails is named, and ends it.
int network_configure(const message(ConfigureNetworkRequest) *request, struct failure *why);
