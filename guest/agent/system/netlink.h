// Requests to the kernel's routing tables, rtnetlink(7): one message, one answer.
#pragma once

#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdint.h>

enum { NETLINK_BODY_SIZE = 512 }; // more than any request here needs

struct netlink_request {
    struct nlmsghdr header;
    uint8_t body[NETLINK_BODY_SIZE];
};

// Opened in the network namespace that the caller is in, and asked about that one ever after.
int netlink_open(void);

// A request of this type with its fixed part; `flags` beside NLM_F_REQUEST.
void netlink_begin(struct netlink_request *request, uint16_t type, uint16_t flags, const void *fixed, size_t size);
// What no longer fits is left out, and the request is refused when it is sent.
void netlink_add(struct netlink_request *request, uint16_t type, const void *data, size_t size);
void netlink_add_u32(struct netlink_request *request, uint16_t type, uint32_t value);
// What is added between the two is part of the attribute.
struct rtattr *netlink_nest(struct netlink_request *request, uint16_t type);
void netlink_end_nest(struct netlink_request *request, struct rtattr *nest);

// Has it carried out. Returns 0 or what the kernel says.
int netlink_send(int fd, struct netlink_request *request);
// The number of the interface with this name in the namespace of `fd`, or -ENODEV and its like.
int netlink_find_interface(int fd, const char *name);
