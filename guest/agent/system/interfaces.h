// Network interfaces. Unless a sandbox is given a network, its containers see none but a loopback.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct netlink_request;

// Before the other calls.
void interfaces_open(void);
// From now on the agent, and whatever it starts, has a network namespace without the machine's interfaces. Once is enough.
int interfaces_set_aside(void);
// Brings back one of them, by its place among the machine's, under a name and with a hardware address.
int interfaces_fetch(size_t place, const char *name, const uint8_t mac[6]);
int interfaces_bring_up_loopback(void);

// In the namespace that the sandbox has now: the number of an interface, and changes.
int interfaces_find(const char *name);
int interfaces_request(struct netlink_request *request);
