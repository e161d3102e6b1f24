// Copying files in and out of a container, a piece a call.
#pragma once

#include "state/container.h"

int copy_write(const struct container *container, const message(WriteFileRequest) *request, struct failure *why);
// response->data is valid until the next call.
int copy_read(const struct container *container, const message(ReadFileRequest) *request, message(ReadFileResponse) *response,
              struct failure *why);
