// The kernel's announcements of devices that come and go.
#pragma once

#include "base/base.h"

#include <stdint.h>

// Tries until `attempt` returns anything but -ENOENT, -ENXIO or -ENODEV (no such device yet), each time that the
// kernel announces something, for at most `timeout_ms`. Returns what `attempt` returned last.
int uevents_try_until(int (*attempt)(const void *), const void *argument, int timeout_ms);
