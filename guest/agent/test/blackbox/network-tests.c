// The network as a host tells it, in a namespace of the agent's own; ip(8) says what has come of it.

#include "containers.h"
#include "host.h"
#include "stage.h"
#include "tests.h"

#include <arpa/inet.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

static char seen[8192];

// What ip(8) prints in the agent's namespace.
static const char *show(const char *what) {
    char command[160];
    snprintf(command, sizeof command, "nsenter --target %d --net -- ip -details %s", stage_agent, what);
    FILE *output = popen(command, "r");
    CHECK(output);
    size_t length = fread(seen, 1, sizeof seen - 1, output);
    seen[length] = '\0';
    pclose(output);
    check_context = seen;
    return seen;
}

static struct span ip(const char *text) {
    static uint8_t addresses[16][16];
    static size_t next;
    uint8_t *bytes = addresses[next++ % COUNT(addresses)];
    bool is_ipv6 = strchr(text, ':');
    CHECK(inet_pton(is_ipv6 ? AF_INET6 : AF_INET, text, bytes) == 1);
    return (struct span){bytes, is_ipv6 ? 16 : 4};
}

static uint32_t configure(const message(ConfigureNetworkRequest) *request) {
    message(ConfigureNetworkResponse) response = {0};
    return CALL("ConfigureNetwork", ConfigureNetworkRequest, ConfigureNetworkResponse, request, &response);
}

static void interface_gets_what_it_is_told(void) {
    message(Address) addresses[] = {
        {.ip = ip("10.9.0.2"), .prefix_length = 24, .broadcast = ip("10.9.0.255")}, {.ip = ip("fd00::2"), .prefix_length = 64}};
    message(KeyValue) settings[] = {{.key = "ipv6/accept_ra", .value = "0"}, {.key = "ipv4/route_localnet", .value = "1"}};
    message(InterfaceSettings) interface = {.name = "far0", .mtu = 1400, .addresses = addresses, .addresses_count = COUNT(addresses),
                                            .settings = settings, .settings_count = COUNT(settings)};
    message(ConfigureNetworkRequest) request = {.interfaces = &interface, .interfaces_count = 1};
    CHECK(configure(&request) == 0);
    show("addr show dev far0");
    CHECK(strstr(seen, "mtu 1400") && strstr(seen, ",UP") && strstr(seen, "inet 10.9.0.2/24 brd 10.9.0.255 scope global"));
    CHECK(strstr(seen, "inet6 fd00::2/64 scope global nodad") && !strstr(seen, "fd00::2/64 scope global tentative"));
    CHECK(configure(&request) == 0); // a host that has died may say it again
}

static void routes_lead_where_they_are_told(void) {
    message(Route) routes[] = {
        {.family = AF_INET, .destination = ip("10.6.0.0"), .prefix_length = 24, .device = "far0", .scope = RT_SCOPE_LINK},
        {.family = AF_INET, .gateway = ip("10.9.0.1"), .source = ip("10.9.0.2"), .device = "far0", .metric = 5, .mtu = 1300},
        {.family = AF_INET, .destination = ip("10.7.0.0"), .prefix_length = 16, .gateway = ip("10.99.0.9"), .device = "far0", .flags = RTNH_F_ONLINK},
        {.family = AF_INET, .destination = ip("10.77.0.0"), .prefix_length = 16, .type = RTN_BLACKHOLE},
        {.family = AF_INET, .destination = ip("127.0.0.11"), .prefix_length = 32, .device = "far0", .scope = RT_SCOPE_LINK, .table = RT_TABLE_LOCAL},
        {.family = AF_INET6, .gateway = ip("fd00::1"), .device = "far0", .metric = 1024}};
    message(ConfigureNetworkRequest) request = {.routes = routes, .routes_count = COUNT(routes)};
    CHECK(configure(&request) == 0 && configure(&request) == 0);
    show("-4 route show");
    CHECK(strstr(seen, "unicast 10.6.0.0/24 dev far0") && strstr(seen, "blackhole 10.77.0.0/16"));
    CHECK(strstr(seen, "default via 10.9.0.1 dev far0 proto boot scope global src 10.9.0.2 metric 5 mtu 1300"));
    CHECK(strstr(seen, "10.7.0.0/16 via 10.99.0.9 dev far0 proto boot scope global onlink"));
    CHECK(strstr(show("-4 route show table local"), "unicast 127.0.0.11 dev far0"));
    CHECK(strstr(show("-6 route show"), "default via fd00::1 dev far0"));
}

static void neighbours_are_known(void) {
    static const uint8_t mac[] = {2, 0, 0, 0, 0, 9};
    message(Neighbour) neighbours[] = {
        {.ip = ip("10.9.0.9"), .mac = {mac, sizeof mac}, .device = "far0", .state = NUD_PERMANENT},
        {.ip = ip("fd00::9"), .mac = {mac, sizeof mac}, .device = "far0", .state = NUD_PERMANENT}};
    message(ConfigureNetworkRequest) request = {.neighbours = neighbours, .neighbours_count = COUNT(neighbours)};
    CHECK(configure(&request) == 0);
    show("neigh show nud permanent");
    CHECK(strstr(seen, "10.9.0.9 dev far0 lladdr 02:00:00:00:00:09") && strstr(seen, "fd00::9 dev far0 lladdr"));
}

static void refuse_interface(message(InterfaceSettings) interface, uint32_t code) {
    message(ConfigureNetworkRequest) request = {.interfaces = &interface, .interfaces_count = 1};
    check_context = interface.name ? interface.name : "";
    CHECK(configure(&request) == code);
}

static void refuse_route(message(Route) route, uint32_t code) {
    message(ConfigureNetworkRequest) request = {.routes = &route, .routes_count = 1};
    CHECK(configure(&request) == code);
}

static void refuse_setting(char *key) {
    message(KeyValue) setting = {.key = key, .value = "1"};
    check_context = key;
    refuse_interface((message(InterfaceSettings)){.name = "far0", .settings = &setting, .settings_count = 1}, STATUS_INVALID_ARGUMENT);
}

static void nonsense_is_refused(void) {
    static const uint8_t bytes[20] = {10, 9, 9, 9};
    message(Address) address = {.ip = {bytes, 5}, .prefix_length = 24};
    message(InterfaceSettings) interface = {.name = "far0", .addresses = &address, .addresses_count = 1};
    refuse_interface((message(InterfaceSettings)){.name = "none0"}, STATUS_INTERNAL); // no such device
    refuse_interface((message(InterfaceSettings)){0}, STATUS_INTERNAL);
    refuse_interface((message(InterfaceSettings)){.name = "a-name-too-long-for-it"}, STATUS_INVALID_ARGUMENT);
    refuse_interface(interface, STATUS_INVALID_ARGUMENT);
    address = (message(Address)){.ip = {bytes, 4}, .prefix_length = 33};
    refuse_interface(interface, STATUS_INVALID_ARGUMENT);
    address = (message(Address)){.ip = {bytes, 4}, .prefix_length = 24, .broadcast = {bytes, 20}};
    refuse_interface(interface, STATUS_INVALID_ARGUMENT);
    refuse_interface((message(InterfaceSettings)){.name = "far0", .mtu = 7}, STATUS_INVALID_ARGUMENT);
    refuse_setting("ipv6/../../kernel/panic");
    refuse_setting("ipv5/accept_ra");
    refuse_setting("ipv6/");
    refuse_setting("");
    refuse_route((message(Route)){.family = AF_INET, .gateway = ip("fd00::1"), .device = "far0"}, STATUS_INVALID_ARGUMENT);
    refuse_route((message(Route)){.family = AF_INET, .destination = ip("10.0.0.0"), .prefix_length = 33, .device = "far0"}, STATUS_INVALID_ARGUMENT);
    refuse_route((message(Route)){.family = AF_UNIX, .device = "far0"}, STATUS_INVALID_ARGUMENT);
    refuse_route((message(Route)){.family = AF_INET, .gateway = ip("10.200.0.1"), .device = "far0", .metric = 9}, STATUS_INTERNAL); // unreachable
    message(Neighbour) neighbour = {.ip = ip("10.9.0.9"), .mac = {bytes, 5}, .device = "far0", .state = NUD_PERMANENT};
    message(ConfigureNetworkRequest) request = {.neighbours = &neighbour, .neighbours_count = 1};
    CHECK(configure(&request) == STATUS_INVALID_ARGUMENT);
}

void test_network(void) {
    interface_gets_what_it_is_told();
    routes_lead_where_they_are_told();
    neighbours_are_known();
    nonsense_is_refused();
    check_context = "";
}
