// The topics, in the order in which they are tested; all of them talk to one agent.
#pragma once

void test_containers(void);
void test_share(void);
void test_processes(void);
void test_hosts(void);
void test_network(void);
// From here on the agent is that of a clone.
void test_spare(void);
