#include "system/interfaces.h"

#include "base/base.h"

#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static int change_flags(int fd, struct ifreq *request, short set, short clear) {
    if (ioctl(fd, SIOCGIFFLAGS, request) < 0) return -errno;
    request->ifr_flags = (short)((request->ifr_flags | set) & ~clear);
    return ioctl(fd, SIOCSIFFLAGS, request) < 0 ? -errno : 0;
}

// Opened once, before the snapshot: in a clone the first socket would cost more than the request that it is for.
static int control = -1;

void interfaces_open(void) {
    control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
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
