#include "system/interfaces.h"

#include "base/base.h"

#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static int change_flags(int fd, struct ifreq *request, short set, short clear) {
    if (ioctl(fd, SIOCGIFFLAGS, request) < 0) return -errno;
    request->ifr_flags = (short)((request->ifr_flags | set) & ~clear);
    return ioctl(fd, SIOCSIFFLAGS, request) < 0 ? -errno : 0;
}

// Opened before the snapshot: in a clone the first socket would cost more than the request that it is for.
static int control = -1;
static int machine = -1; // routing requests to the namespace that the machine was born with
static int sandbox = -1; // the namespace that took its place; -1: none has

void interfaces_open(void) {
    control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    machine = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
}

int interfaces_set_aside(void) {
    if (sandbox >= 0) return 0;
    if (unshare(CLONE_NEWNET) < 0) return errno == EINVAL ? 0 : -errno; // a kernel without them
    sandbox = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (sandbox < 0) return -errno;
    close_and_forget(&control);
    control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return interfaces_bring_up_loopback();
}

static int await_routing_answer(void) {
    struct { struct nlmsghdr header; struct nlmsgerr answer; } message;
    ssize_t count = recv(machine, &message, sizeof message, MSG_TRUNC);
    if (count < 0) return -errno;
    return (size_t)count < sizeof message || message.header.nlmsg_type != NLMSG_ERROR ? -EPROTO : message.answer.error;
}

int interfaces_fetch(const char *name) {
    struct {
        struct nlmsghdr header;
        struct ifinfomsg interface;
        struct rtattr name_header;
        char name[IFNAMSIZ];
        struct rtattr place_header;
        int place;
    } request = {
        .header = {.nlmsg_len = sizeof request, .nlmsg_type = RTM_NEWLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
        .name_header = {sizeof request.name_header + sizeof request.name, IFLA_IFNAME},
        .place_header = {sizeof request.place_header + sizeof request.place, IFLA_NET_NS_FD},
        .place = sandbox,
    };
    if (strlen(name) >= sizeof request.name) return -EINVAL;
    if (sandbox < 0) return 0;
    strcpy(request.name, name);
    return send(machine, &request, sizeof request, 0) < 0 ? -errno : await_routing_answer();
}

int interfaces_bring_up_loopback(void) {
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return errno == EAFNOSUPPORT ? 0 : -errno; // a kernel without IPv4 has no loopback to raise
    return ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
}

int interfaces_set_mac(const char *name, const uint8_t mac[6]) {
    struct ifreq request = {0}, address = {0};
    if (strlen(name) >= sizeof request.ifr_name) return -EINVAL;
    strcpy(request.ifr_name, name);
    strcpy(address.ifr_name, name);
    const int fd = control;
    if (ioctl(fd, SIOCGIFFLAGS, &request) < 0) return -errno;
    bool up = request.ifr_flags & IFF_UP;
    int error = up ? change_flags(fd, &request, 0, IFF_UP) : 0;
    address.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    memcpy(address.ifr_hwaddr.sa_data, mac, 6);
    if (!error && ioctl(fd, SIOCSIFHWADDR, &address) < 0) error = -errno;
    if (up) {
        int up_error = change_flags(fd, &request, IFF_UP, 0);
        if (!error) error = up_error;
    }
    return error;
}
