#include "system/network.h"

#include "system/interfaces.h"
#include "system/netlink.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { IPV4_SIZE = 4, IPV6_SIZE = 16, MAC_SIZE = 6, BITS_PER_BYTE = 8, SETTING_SIZE = 80 };

static uint8_t family_of(struct span ip) {
    return ip.size == IPV4_SIZE ? AF_INET : ip.size == IPV6_SIZE ? AF_INET6 : AF_UNSPEC;
}

// For messages.
static const char *spell(struct span ip, char text[INET6_ADDRSTRLEN]) {
    if (ip.size == 0) return "default";
    const char *spelt = family_of(ip) == AF_UNSPEC ? NULL : inet_ntop(family_of(ip), ip.data, text, INET6_ADDRSTRLEN);
    return spelt ? spelt : "?";
}

static int find(const char *name, int *index, struct failure *why) {
    int found = interfaces_find(text_or_empty(name));
    if (found < 0) return fail_errno(why, found, "there is no network interface %.16s", text_or_empty(name));
    *index = found;
    return 0;
}

// "ipv6/accept_ra" of eth0 is /proc/sys/net/ipv6/conf/eth0/accept_ra. Neither part may lead anywhere else.
static int spell_setting(char *path, size_t size, const char *interface, const char *key) {
    const char *name = strchr(key, '/');
    if (!name || (strncmp(key, "ipv4/", 5) != 0 && strncmp(key, "ipv6/", 5) != 0)) return -EINVAL;
    name++;
    if (name[0] == '\0' || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(name)) return -EINVAL;
    if (strchr(interface, '/') || interface[0] == '.') return -EINVAL;
    int length = snprintf(path, size, "/proc/sys/net/%.4s/conf/%s/%s", key, interface, name);
    return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}

static int set(const char *interface, const message(KeyValue) *setting) {
    char path[SETTING_SIZE + IFNAMSIZ];
    const char *value = text_or_empty(setting->value);
    int error = spell_setting(path, sizeof path, interface, text_or_empty(setting->key));
    if (error) return error;
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    return write(fd, value, strlen(value)) < 0 ? -errno : 0;
}

static int raise_interface(int index, uint32_t mtu) {
    struct ifinfomsg link = {.ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    struct netlink_request request;
    netlink_begin(&request, RTM_NEWLINK, 0, &link, sizeof link);
    if (mtu) netlink_add_u32(&request, IFLA_MTU, mtu);
    return interfaces_request(&request);
}

// No other has it: the host has found that out already.
static int add_address(int index, const message(Address) *address) {
    struct netlink_request request;
    uint8_t family = family_of(address->ip);
    bool is_ipv6 = family == AF_INET6;
    if (family == AF_UNSPEC || address->prefix_length > address->ip.size * BITS_PER_BYTE || address->scope > UINT8_MAX) return -EINVAL;
    if (address->broadcast.size && (is_ipv6 || address->broadcast.size != IPV4_SIZE)) return -EINVAL;
    struct ifaddrmsg fixed = {.ifa_family = family, .ifa_prefixlen = (uint8_t)address->prefix_length,
                              .ifa_flags = is_ipv6 ? IFA_F_NODAD : 0, .ifa_scope = (uint8_t)address->scope, .ifa_index = (uint32_t)index};
    netlink_begin(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &fixed, sizeof fixed);
    netlink_add(&request, IFA_LOCAL, address->ip.data, address->ip.size);
    netlink_add(&request, IFA_ADDRESS, address->ip.data, address->ip.size);
    if (address->broadcast.size) netlink_add(&request, IFA_BROADCAST, address->broadcast.data, address->broadcast.size);
    return interfaces_request(&request);
}

static int configure_interface(const message(InterfaceSettings) *interface, struct failure *why) {
    const char *name = text_or_empty(interface->name);
    char text[INET6_ADDRSTRLEN];
    int index = 0, error = find(name, &index, why);
    for (size_t i = 0; !error && i < interface->settings_count; i++) {
        const message(KeyValue) *setting = &interface->settings[i];
        error = set(name, setting);
        if (error) return fail_errno(why, error, "cannot set %.64s of %.16s", text_or_empty(setting->key), name);
    }
    if (error) return error;
    error = raise_interface(index, interface->mtu);
    if (error) return fail_errno(why, error, "cannot bring up %.16s with an MTU of %u", name, interface->mtu);
    for (size_t i = 0; i < interface->addresses_count; i++) {
        const message(Address) *address = &interface->addresses[i];
        error = add_address(index, address);
        if (error) return fail_errno(why, error, "cannot give %.16s the address %s", name, spell(address->ip, text));
    }
    return 0;
}

static bool fits(struct span ip, size_t size) {
    return ip.size == 0 || ip.size == size;
}

static bool is_valid(const message(Route) *route) {
    size_t size = route->family == AF_INET ? IPV4_SIZE : route->family == AF_INET6 ? IPV6_SIZE : 0;
    return size && fits(route->destination, size) && fits(route->gateway, size) && fits(route->source, size) &&
           route->prefix_length <= size * BITS_PER_BYTE && (route->destination.size || route->prefix_length == 0) &&
           route->scope <= UINT8_MAX && route->type <= UINT8_MAX;
}

static void add_route_target(struct netlink_request *request, const message(Route) *route, int index) {
    if (route->destination.size) netlink_add(request, RTA_DST, route->destination.data, route->destination.size);
    if (route->gateway.size) netlink_add(request, RTA_GATEWAY, route->gateway.data, route->gateway.size);
    if (route->source.size) netlink_add(request, RTA_PREFSRC, route->source.data, route->source.size);
    if (index) netlink_add_u32(request, RTA_OIF, (uint32_t)index);
    if (route->metric) netlink_add_u32(request, RTA_PRIORITY, route->metric);
    netlink_add_u32(request, RTA_TABLE, route->table ? route->table : RT_TABLE_MAIN);
    if (route->mtu) {
        struct rtattr *metrics = netlink_nest(request, RTA_METRICS);
        netlink_add_u32(request, RTAX_MTU, route->mtu);
        netlink_end_nest(request, metrics);
    }
}

// One that an address has brought along already is there.
static int add_route(const message(Route) *route, int index) {
    struct netlink_request request;
    if (!is_valid(route)) return -EINVAL;
    struct rtmsg fixed = {.rtm_family = (uint8_t)route->family, .rtm_dst_len = (uint8_t)route->prefix_length,
                          .rtm_protocol = RTPROT_BOOT, .rtm_scope = (uint8_t)route->scope,
                          .rtm_type = route->type ? (uint8_t)route->type : RTN_UNICAST, .rtm_flags = route->flags & RTNH_F_ONLINK};
    netlink_begin(&request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND, &fixed, sizeof fixed);
    add_route_target(&request, route, index);
    int error = interfaces_request(&request);
    return error == -EEXIST ? 0 : error;
}

static int configure_route(const message(Route) *route, struct failure *why) {
    const char *device = text_or_empty(route->device);
    char text[INET6_ADDRSTRLEN];
    int index = 0, error = device[0] ? find(device, &index, why) : 0;
    if (error) return error;
    error = add_route(route, index);
    return error ? fail_errno(why, error, "cannot add the route to %s/%u", spell(route->destination, text), route->prefix_length) : 0;
}

static int configure_neighbour(const message(Neighbour) *neighbour, struct failure *why) {
    struct netlink_request request;
    char text[INET6_ADDRSTRLEN];
    int index = 0, error = find(neighbour->device, &index, why);
    if (error) return error;
    uint8_t family = family_of(neighbour->ip);
    bool is_valid = family != AF_UNSPEC && neighbour->mac.size == MAC_SIZE && neighbour->state <= UINT16_MAX;
    struct ndmsg fixed = {.ndm_family = family, .ndm_ifindex = index, .ndm_state = (uint16_t)neighbour->state};
    netlink_begin(&request, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &fixed, sizeof fixed);
    if (is_valid) netlink_add(&request, NDA_DST, neighbour->ip.data, neighbour->ip.size);
    if (is_valid) netlink_add(&request, NDA_LLADDR, neighbour->mac.data, neighbour->mac.size);
    error = is_valid ? interfaces_request(&request) : -EINVAL;
    return error ? fail_errno(why, error, "cannot add the neighbour %s", spell(neighbour->ip, text)) : 0;
}

int network_configure(const message(ConfigureNetworkRequest) *request, struct failure *why) {
    int error = 0;
    for (size_t i = 0; !error && i < request->interfaces_count; i++) error = configure_interface(&request->interfaces[i], why);
    for (size_t i = 0; !error && i < request->routes_count; i++) error = configure_route(&request->routes[i], why);
    for (size_t i = 0; !error && i < request->neighbours_count; i++) error = configure_neighbour(&request->neighbours[i], why);
    return error;
}
