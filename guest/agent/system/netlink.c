#include "system/netlink.h"

#include "base/base.h"

#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

// Longer than a message can be: it did not fit.
enum { OVERFULL = NETLINK_BODY_SIZE + 1 };

int netlink_open(void) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    return fd < 0 ? -errno : fd;
}

void netlink_begin(struct netlink_request *request, uint16_t type, uint16_t flags, const void *fixed, size_t size) {
    memset(request, 0, sizeof *request);
    request->header = (struct nlmsghdr){
        .nlmsg_len = (uint32_t)NLMSG_LENGTH(size), .nlmsg_type = type, .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags)};
    memcpy(request->body, fixed, size);
}

static struct rtattr *claim(struct netlink_request *request, uint16_t type, size_t size) {
    size_t start = NLMSG_ALIGN(request->header.nlmsg_len), length = RTA_LENGTH(size);
    if (start + RTA_ALIGN(length) > sizeof *request) {
        request->header.nlmsg_len = sizeof *request + OVERFULL;
        return NULL;
    }
    struct rtattr *attribute = (struct rtattr *)(void *)((uint8_t *)request + start);
    *attribute = (struct rtattr){.rta_len = (unsigned short)length, .rta_type = type};
    request->header.nlmsg_len = (uint32_t)(start + RTA_ALIGN(length));
    return attribute;
}

void netlink_add(struct netlink_request *request, uint16_t type, const void *data, size_t size) {
    struct rtattr *attribute = claim(request, type, size);
    if (attribute && size) memcpy(RTA_DATA(attribute), data, size);
}

void netlink_add_u32(struct netlink_request *request, uint16_t type, uint32_t value) {
    netlink_add(request, type, &value, sizeof value);
}

struct rtattr *netlink_nest(struct netlink_request *request, uint16_t type) {
    return claim(request, type, 0);
}

void netlink_end_nest(struct netlink_request *request, struct rtattr *nest) {
    if (nest) nest->rta_len = (unsigned short)((uint8_t *)request + request->header.nlmsg_len - (uint8_t *)nest);
}

static int transmit(int fd, const struct netlink_request *request) {
    if (request->header.nlmsg_len > sizeof *request) return -EMSGSIZE;
    return send(fd, request, request->header.nlmsg_len, 0) < 0 ? -errno : 0;
}

int netlink_send(int fd, struct netlink_request *request) {
    struct { struct nlmsghdr header; struct nlmsgerr answer; } message;
    request->header.nlmsg_flags |= NLM_F_ACK;
    int error = transmit(fd, request);
    if (error) return error;
    ssize_t count = recv(fd, &message, sizeof message, MSG_TRUNC);
    if (count < 0) return -errno;
    return (size_t)count < sizeof message || message.header.nlmsg_type != NLMSG_ERROR ? -EPROTO : message.answer.error;
}

int netlink_find_interface(int fd, const char *name) {
    struct { struct nlmsghdr header; union { struct ifinfomsg link; struct nlmsgerr error; }; } answer;
    struct ifinfomsg any = {.ifi_family = AF_UNSPEC};
    struct netlink_request request;
    if (strlen(name) >= IFNAMSIZ) return -EINVAL;
    netlink_begin(&request, RTM_GETLINK, 0, &any, sizeof any);
    netlink_add(&request, IFLA_IFNAME, name, strlen(name) + 1);
    int error = transmit(fd, &request);
    if (error) return error;
    ssize_t count = recv(fd, &answer, sizeof answer, MSG_TRUNC);
    if (count < 0) return -errno;
    if ((size_t)count < sizeof answer) return -EPROTO;
    if (answer.header.nlmsg_type == NLMSG_ERROR) return answer.error.error ? answer.error.error : -EPROTO;
    return answer.header.nlmsg_type == RTM_NEWLINK ? answer.link.ifi_index : -EPROTO;
}
