// Messages on the socket between the agent and a child that is on its way to exec, each with a descriptor or none.
#pragma once

#include "base/span.h"

// 0 or -errno. `fd` goes along unless it is -1.
int control_send(int socket, struct span message, int fd);
// Bytes received, 0 when the other end is gone, or -errno. Stores the descriptor that came along, or -1.
int control_receive(int socket, void *buffer, size_t size, int *fd);
