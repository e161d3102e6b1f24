// Where the agent under test works: a folder with a layer in it, and the agent itself.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

extern char stage_root[128];
extern struct sockaddr_un stage_address; // where the agent listens for hosts
extern pid_t stage_agent;                // 0 when it has ended

void make_stage(void);
void start_agent(void);
void leave_stage(void);
