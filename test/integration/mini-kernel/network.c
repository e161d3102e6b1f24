// Sockets and every kind of network device.
#include "probe.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct request {
    struct nlmsghdr header;
    struct ifinfomsg link;
    char attributes[256];
};

static struct rtattr *add(struct request *request, unsigned short type, const void *data, size_t size) {
    struct rtattr *attribute = (struct rtattr *)((char *)request + NLMSG_ALIGN(request->header.nlmsg_len));
    attribute->rta_type = type;
    attribute->rta_len = (unsigned short)RTA_LENGTH(size);
    if (size > 0) memcpy(RTA_DATA(attribute), data, size);
    request->header.nlmsg_len = NLMSG_ALIGN(request->header.nlmsg_len) + (unsigned)RTA_ALIGN(attribute->rta_len);
    return attribute;
}

static void end(struct request *request, struct rtattr *nest) {
    nest->rta_len = (unsigned short)((char *)request + request->header.nlmsg_len - (char *)nest);
}

static int send_request(struct request *request) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    struct {
        struct nlmsghdr header;
        struct nlmsgerr error;
        char rest[512];
    } answer;
    ssize_t size = -1;
    if (fd >= 0 && send(fd, request, request->header.nlmsg_len, 0) >= 0) size = recv(fd, &answer, sizeof answer, 0);
    if (fd >= 0) close(fd);
    if (size < 0) return -1;
    errno = -answer.error.error;
    return answer.error.error == 0 ? 0 : -1;
}

// Makes a device; one that needs another below it sits on the first card or dummy.
static void make_device(const char *kind, unsigned below) {
    struct request request = {
        .header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)), .nlmsg_type = RTM_NEWLINK,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL},
    };
    char name[IFNAMSIZ];
    snprintf(name, sizeof name, "%s9", kind);
    add(&request, IFLA_IFNAME, name, strlen(name) + 1);
    if (below != 0) add(&request, IFLA_LINK, &below, sizeof below);
    struct rtattr *information = add(&request, IFLA_LINKINFO, NULL, 0);
    add(&request, IFLA_INFO_KIND, kind, strlen(kind) + 1);
    if (strcmp(kind, "vlan") == 0) {
        uint16_t number = 7;
        struct rtattr *data = add(&request, IFLA_INFO_DATA, NULL, 0);
        add(&request, IFLA_VLAN_ID, &number, sizeof number);
        end(&request, data);
    }
    end(&request, information);
    report(kind, send_request(&request));
}

static void check_tun(void) {
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    report("/dev/net/tun", fd);
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    report("tap", ioctl(fd, TUNSETIFF, &request));
    struct ifreq other = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    report("tun", ioctl(open("/dev/net/tun", O_RDWR | O_CLOEXEC), TUNSETIFF, &other));
}

void check_network(void) {
    report("unix sockets", socket(AF_UNIX, SOCK_STREAM, 0));
    report("IPv4", socket(AF_INET, SOCK_STREAM, 0));
    report("IPv6", socket(AF_INET6, SOCK_STREAM, 0));
    report("packet sockets", socket(AF_PACKET, SOCK_RAW, 0));
    report("vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
    report("ss", socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG));
    report("the sandbox's card", if_nametoindex("eth0") == 0 ? -1 : 0);
    report("SYN cookies", access("/proc/sys/net/ipv4/tcp_syncookies", F_OK));
    check_tun();
    make_device("dummy", 0);
    make_device("veth", 0);
    make_device("bridge", 0);
    make_device("wireguard", 0);
    unsigned below = if_nametoindex("dummy9");
    make_device("vlan", below);
    make_device("macvlan", below);
    make_device("ipvlan", if_nametoindex("eth0"));
}
