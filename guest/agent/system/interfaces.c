#include "system/interfaces.h"

#include "base/base.h"
#include "system/netlink.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

// Opened before the snapshot: in a clone the first socket would cost more than the request that it is for.
static int machine = -1; // requests to the namespace that the machine was born with
static int sandbox = -1; // the namespace that took its place; -1: none has
static int current = -1; // requests to the sandbox's namespace, whichever that is

void interfaces_open(void) {
    machine = netlink_open();
    current = netlink_open();
}

int interfaces_set_aside(void) {
    if (sandbox >= 0) return 0;
    if (unshare(CLONE_NEWNET) < 0) return errno == EINVAL ? 0 : -errno; // a kernel without them
    sandbox = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (sandbox < 0) return -errno;
    close_and_forget(&current);
    current = netlink_open();
    return interfaces_bring_up_loopback();
}

int interfaces_fetch(size_t place, const char *name, const uint8_t mac[6]) {
    char own_name[IFNAMSIZ];
    struct netlink_request request;
    if (name[0] == '\0' || strlen(name) >= IFNAMSIZ) return -EINVAL;
    snprintf(own_name, sizeof own_name, "eth%zu", place); // the kernel counts its devices
    int index = netlink_find_interface(machine, own_name);
    if (index < 0) return index;
    struct ifinfomsg link = {.ifi_index = index};
    netlink_begin(&request, RTM_NEWLINK, 0, &link, sizeof link);
    netlink_add(&request, IFLA_IFNAME, name, strlen(name) + 1);
    netlink_add(&request, IFLA_ADDRESS, mac, 6);
    if (sandbox >= 0) netlink_add_u32(&request, IFLA_NET_NS_FD, (uint32_t)sandbox);
    return netlink_send(machine, &request);
}

int interfaces_bring_up_loopback(void) {
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return errno == EAFNOSUPPORT ? 0 : -errno; // a kernel without IPv4 has no loopback to raise
    return ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
}

static int open_current(void) {
    if (current < 0) current = netlink_open();
    return current;
}

int interfaces_find(const char *name) {
    int fd = open_current();
    return fd < 0 ? fd : netlink_find_interface(fd, name);
}

int interfaces_request(struct netlink_request *request) {
    int fd = open_current();
    return fd < 0 ? fd : netlink_send(fd, request);
}
