// The end of processes and containers: signals, killing, what is kept of the dead, and forgetting them.
#pragma once

#include "state/container.h"

int container_signal(struct process *process, uint32_t signal, bool all, struct failure *why);
void container_kill(struct container *container);
// Kills what is left, waits for its end, unmounts and forgets.
int container_delete(struct container *container, struct failure *why);
int container_delete_process(struct process *process, struct failure *why);
// Forgets a process that has ended, or never began.
void container_forget_process(struct process *process);

// A child was reaped; `status` is waitpid's.
void process_ended(pid_t pid, int status);
