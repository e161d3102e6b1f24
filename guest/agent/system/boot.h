// The first steps of PID 1: file systems, modules, loopback.
#pragma once

// Prepares the guest. What fails is said on the console; the agent goes on as far as it can.
void boot(void);
