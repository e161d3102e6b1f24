// Network interfaces of the namespace that the caller is in.
#pragma once

#include <stdint.h>

// Before the first call of interfaces_set_mac, in the network namespace of the sandbox.
void interfaces_open(void);
int interfaces_bring_up_loopback(void);
// Gives an interface another hardware address; it is taken down for the moment if it is up.
int interfaces_set_mac(const char *name, const uint8_t mac[6]);
