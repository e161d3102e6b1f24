// Stdio calls: attaching a host to the streams of a process, and moving bytes while the channel has room.
#pragma once

#include "protocol/call.h"
#include "protocol/frame.h"
#include "state/container.h"

// Begins a call; the answer comes when the process is gone and its output has been sent.
int stdio_calls_begin(struct call *call, struct process *process, uint64_t stdout_offset, uint64_t stderr_offset);
// A data frame of some call; one of a call that has ended is dropped. -EPROTO for what breaks the rules.
int stdio_calls_receive(const struct frame *frame);
// Queues output, acknowledgements and answers, fairly, until the channel is full. Called after each turn of the loop.
void stdio_calls_pump(void);
// The process is being deleted: its call, if any, fails.
void stdio_calls_abort(struct process *process);
void stdio_calls_forget(void);
