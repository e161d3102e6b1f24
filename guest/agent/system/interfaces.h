// Network interfaces. Unless a sandbox is given a network, its containers see none but a loopback.
#pragma once

#include <stdint.h>

// Before the other calls.
void interfaces_open(void);
// From now on the agent, and whatever it starts, has a network namespace without the machine's interfaces. Once is enough.
int interfaces_set_aside(void);
// Brings back an interface that was set aside.
int interfaces_fetch(const char *name);
int interfaces_bring_up_loopback(void);
// Gives an interface another hardware address; it is taken down for the moment if it is up.
int interfaces_set_mac(const char *name, const uint8_t mac[6]);
