// Containers whose root file system is a folder that the host shares.

#include "containers.h"
#include "host.h"
#include "stage.h"
#include "tests.h"

#include <linux/mount.h>
#include <string.h>
#include <sys/stat.h>

#define SHARE "/run/wardian/share/"

// What most of these containers have.
static message(Mount) data;
static message(CreateContainerRequest) request;

static void describe(char *what, char *value) {
    request = describe_shared("shared", process_of(what, value));
    data = (message(Mount)){.destination = "/data", .source = SHARE "c/data", .flags = MS_BIND | MS_REC};
    request.mounts = &data;
    request.mounts_count = 1;
}

static bool host_has(const char *name) {
    char path[256];
    struct stat status;
    snprintf(path, sizeof path, "%s/run/share/%s", stage_root, name);
    return lstat(path, &status) == 0;
}

static void root_is_the_folder_itself(void) {
    describe("make", "/written");
    expect(&request, 0, "");
    CHECK(host_has("c/root/written") && host_has("c/root/made/here") && host_has("c/root/dev/null"));
    describe("make", "/other");
    request.rootfs.read_only = true;
    expect(&request, EROFS, "");
    CHECK(!host_has("c/root/other"));
}

static void binds_come_from_the_share(void) {
    describe("show", "/data/text");
    expect(&request, 0, "from the host");
    describe("make", "/data/new");
    expect(&request, 0, "");
    CHECK(host_has("c/data/new"));
}

static void read_only_binds_are(void) {
    describe("make", "/data/never");
    data.flags |= MS_RDONLY;
    expect(&request, EROFS, "");
    describe("make", "/data/never");
    data.recursive_set = MOUNT_ATTR_RDONLY;
    expect(&request, EROFS, "");
    CHECK(!host_has("c/data/never"));
}

static void mounts_can_be_changed(void) {
    static message(Mount) twice[2];
    describe("make", "/data/never");
    twice[0] = data;
    twice[1] = (message(Mount)){.destination = "/data", .flags = MS_REMOUNT | MS_BIND | MS_RDONLY};
    request.mounts = twice;
    request.mounts_count = 2;
    expect(&request, EROFS, "");
    twice[0] = (message(Mount)){.destination = "/data", .type = "tmpfs", .source = "tmpfs"};
    twice[1] = (message(Mount)){.destination = "/data", .flags = MS_REMOUNT | MS_RDONLY, .data = "size=4k"};
    expect(&request, EROFS, "");
    twice[0].destination = "/elsewhere";
    CHECK(create_as(&request) != 0); // nothing is mounted there
}

static void files_can_be_bound_where_a_link_leads(void) {
    describe("show", "/made/by/a-link");
    data = (message(Mount)){.destination = "/dangling", .source = SHARE "c/file", .flags = MS_BIND};
    expect(&request, 0, "one file");
}

// As where the host's file system can have no nodes: an empty file is what is left of the time before.
static void nodes_are_bound_where_there_are_none(void) {
    char path[256];
    describe("zeroes", "/dev/zero");
    snprintf(path, sizeof path, "%s/run/share/c/root/dev/zero", stage_root);
    CHECK(mknod(path, S_IFREG | 0644, 0) == 0);
    static message(DeviceNode) zero = {.path = "/dev/zero", .type = S_IFCHR, .major = 1, .minor = 5, .mode = 0666};
    request.devices = &zero;
    expect(&request, 0, "");
    zero.minor = 77;
    CHECK(create_as(&request) != 0); // the guest has no such device
    struct stat status;
    CHECK(stat(path, &status) == 0 && S_ISREG(status.st_mode) && status.st_size == 0);
}

static void nothing_else_is_within_reach(void) {
    static char *const folders[] = {"c/../../layers/1", "../layers/1", "link", "/", "c/nothing", "c/root/bin/probe"};
    static char *const sources[] = {"/", "/run/wardian", SHARE "../layers", SHARE "link", SHARE "c/data/../../../layers", "c/data"};
    for (size_t i = 0; i < COUNT(folders); i++) {
        describe("look", NULL);
        check_context = request.rootfs.folder = folders[i];
        CHECK(create_as(&request) != 0);
    }
    for (size_t i = 0; i < COUNT(sources); i++) {
        describe("look", NULL);
        check_context = data.source = sources[i];
        CHECK(create_as(&request) != 0);
    }
    check_context = "";
    describe("look", NULL);
    static message(Layer) layer = {.lun = 1, .type = "erofs"};
    request.rootfs.layers = &layer;
    request.rootfs.layers_count = 1;
    CHECK(create_as(&request) == STATUS_INVALID_ARGUMENT); // layers and a folder
}

void test_share(void) {
    root_is_the_folder_itself();
    binds_come_from_the_share();
    read_only_binds_are();
    mounts_can_be_changed();
    files_can_be_bound_where_a_link_leads();
    nodes_are_bound_where_there_are_none();
    nothing_else_is_within_reach();
}
