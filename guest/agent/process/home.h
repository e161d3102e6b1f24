// Where a user's home is.
#pragma once

#include <limits.h>
#include <stdint.h>

// Writes "HOME=" with what /etc/passwd says of the user, or with "/" when it says nothing.
void home_find(uint32_t uid, char assignment[PATH_MAX]);
