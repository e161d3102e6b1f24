// Packet filters: nf_tables, iptables-legacy, the matches that rules of container engines use.
#include "probe.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TABLE_INFO = 64, MATCH_REVISION = 66, TARGET_REVISION = 67 }; // linux/netfilter_ipv4/ip_tables.h, and ipv6's

// struct ipt_getinfo, and ip6t_getinfo, which are alike.
struct table_info {
    char name[XT_TABLE_MAXNAMELEN];
    unsigned int hooks, entries[NF_INET_NUMHOOKS], underflows[NF_INET_NUMHOOKS], count, size;
};

static void check_tables(const char *family, int domain, int level) {
    int fd = socket(domain, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    static const char *const tables[] = {"filter", "nat", "mangle", "raw"};
    for (unsigned index = 0; index < sizeof tables / sizeof *tables; index++) {
        struct table_info info = {0};
        socklen_t size = sizeof info;
        memcpy(info.name, tables[index], strlen(tables[index]));
        char label[64];
        snprintf(label, sizeof label, "%s table %s", family, tables[index]);
        report(label, getsockopt(fd, level, TABLE_INFO, &info, &size));
    }
    close(fd);
}

static void check_extension(int fd, int option, const char *name, uint8_t revision) {
    struct xt_get_revision wanted = {.revision = revision};
    socklen_t size = sizeof wanted;
    memcpy(wanted.name, name, strlen(name));
    char label[64];
    snprintf(label, sizeof label, "iptables %s", name);
    report(label, getsockopt(fd, IPPROTO_IP, option, &wanted, &size));
}

static void check_extensions(void) {
    int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    static const struct {
        const char *name;
        uint8_t revision;
    } matches[] = {{"addrtype", 1}, {"comment", 0}, {"conntrack", 3}, {"state", 0}, {"multiport", 1},
                   {"limit", 0},    {"owner", 1},   {"statistic", 0}, {"mark", 1},  {"connmark", 1}, {"tcpmss", 0}},
      targets[] = {{"MASQUERADE", 0}, {"REDIRECT", 0}, {"DNAT", 0}, {"SNAT", 0}, {"REJECT", 0},
                   {"MARK", 2},       {"CONNMARK", 1}, {"LOG", 0},  {"CT", 0},   {"TCPMSS", 0}};
    for (unsigned index = 0; index < sizeof matches / sizeof *matches; index++)
        check_extension(fd, MATCH_REVISION, matches[index].name, matches[index].revision);
    for (unsigned index = 0; index < sizeof targets / sizeof *targets; index++)
        check_extension(fd, TARGET_REVISION, targets[index].name, targets[index].revision);
    close(fd);
}

// Sends one message to a part of netfilter's and reads the answer's type.
static int ask(uint16_t type) {
    struct {
        struct nlmsghdr header;
        struct nfgenmsg message;
    } request = {
        .header = {.nlmsg_len = sizeof request, .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST},
        .message = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0},
    };
    struct {
        struct nlmsghdr header;
        struct nlmsgerr error;
        char rest[1024];
    } answer;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    ssize_t size = -1;
    if (fd >= 0 && send(fd, &request, sizeof request, 0) >= 0) size = recv(fd, &answer, sizeof answer, 0);
    if (fd >= 0) close(fd);
    if (size < 0) return -1;
    if (answer.header.nlmsg_type != NLMSG_ERROR) return 0;
    errno = -answer.error.error;
    return answer.error.error == 0 ? 0 : -1;
}

void check_filters(void) {
    report("nf_tables", ask(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN));
    report("connection tracking", ask(NFNL_SUBSYS_CTNETLINK << 8 | 5)); // IPCTNL_MSG_CT_GET_STATS
    check_tables("IPv4", AF_INET, IPPROTO_IP);
    check_tables("IPv6", AF_INET6, IPPROTO_IPV6);
    check_extensions();
    report("filters of bridges", access("/proc/sys/net/bridge/bridge-nf-call-iptables", F_OK));
}
