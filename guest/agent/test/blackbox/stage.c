#include "stage.h"

#include "../support.h"

#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>

char stage_root[128];
struct sockaddr_un stage_address = {.sun_family = AF_UNIX};
pid_t stage_agent;

static void copy_probe(const char *from, const char *to) {
    char buffer[65536];
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT, 0755);
    CHECK(in >= 0 && out >= 0);
    for (ssize_t count; (count = read(in, buffer, sizeof buffer)) > 0;) CHECK(write(out, buffer, (size_t)count) == count);
    close(in);
    close(out);
}

static void write_file(const char *name, const char *text) {
    char path[256];
    snprintf(path, sizeof path, "%s%s", stage_root, name);
    FILE *file = fopen(path, "w");
    CHECK(file && fputs(text, file) > 0 && fclose(file) == 0);
}

void make_stage(void) {
    static const char *const folders[] = {"/run", "/run/layers", "/run/layers/1", "/run/layers/1/bin", "/run/layers/1/full",
                                          "/run/layers/1/full/of", "/run/layers/1/etc", "/run/share", "/run/share/c", "/run/share/c/root",
                                          "/run/share/c/root/bin", "/run/share/c/root/etc", "/run/share/c/data"};
    char path[256];
    snprintf(stage_root, sizeof stage_root, "/tmp/agent-test-XXXXXX");
    CHECK(mkdtemp(stage_root));
    for (size_t i = 0; i < COUNT(folders); i++) {
        snprintf(path, sizeof path, "%s%s", stage_root, folders[i]);
        CHECK(mkdir(path, 0755) == 0);
    }
    snprintf(path, sizeof path, "%s/run/layers/1/bin/probe", stage_root);
    copy_probe(getenv("PROBE"), path);
    snprintf(path, sizeof path, "%s/run/share/c/root/bin/probe", stage_root);
    copy_probe(getenv("PROBE"), path);
    write_file("/run/share/c/data/text", "from the host");
    write_file("/run/share/c/file", "one file");
    write_file("/run/share/c/root/etc/passwd", "a:x:4:4\nb:x:zero:0::/no:/bin/sh\nroot:x:0:0::/root/of/it:/bin/sh\n");
    snprintf(path, sizeof path, "%s/run/share/link", stage_root);
    CHECK(symlink("c/root", path) == 0);
    snprintf(path, sizeof path, "%s/run/share/c/root/dangling", stage_root);
    CHECK(symlink("../made/by/a-link", path) == 0);
    snprintf(path, sizeof path, "%s/run/layers/1/escape", stage_root);
    CHECK(symlink("../../../../etc", path) == 0);
    snprintf(path, sizeof path, "%s/run/layers/1/full/of/files", stage_root);
    CHECK(mknod(path, S_IFREG | 0600, 0) == 0 && chown(path, 7, 7) == 0);
    write_file("/run/layers/1/secret", "secret");
}

void start_agent(void) {
    char number[16];
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(stage_address.sun_path, sizeof stage_address.sun_path, "%.90s/agent", stage_root);
    CHECK(listener >= 0 && bind(listener, (struct sockaddr *)&stage_address, sizeof stage_address) == 0 && listen(listener, 4) == 0);
    snprintf(number, sizeof number, "%d", listener);
    stage_agent = fork();
    if (stage_agent == 0) {
        CHECK(unshare(CLONE_NEWNS | CLONE_NEWNET) == 0 && system("ip link add far0 type veth peer name near0 && ip link set near0 up") == 0);
        CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
        execl(getenv("AGENT"), "agent", "--channel-fd", number, "--test-root", stage_root, NULL);
        _exit(127);
    }
    close(listener);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk) {
    (void)status, (void)type, (void)walk;
    return remove(path);
}

void leave_stage(void) {
    if (stage_agent > 0) kill(stage_agent, SIGKILL);
    nftw(stage_root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}
