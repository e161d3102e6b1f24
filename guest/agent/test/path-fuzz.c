// Paths of a container, against links that try to lead out: what is opened or made must lie inside the root.

#include "base/base.h"
#include "rootfs/path.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/tmp/path-fuzz-XXXXXX";
static char inside[PATH_MAX];
static int root = -1;

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk) {
    (void)status, (void)type;
    return walk->level == 0 ? 0 : remove(path);
}

static void remove_folder(void) {
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    rmdir(folder);
}

int LLVMFuzzerInitialize(int *count, char ***arguments) {
    (void)count, (void)arguments;
    if (!mkdtemp(folder)) abort();
    snprintf(inside, sizeof inside, "%s/root", folder);
    if (mkdir(inside, 0755) < 0) abort();
    root = open(inside, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) abort();
    atexit(remove_folder);
    return 0;
}

static void check_inside(int fd) {
    char link[64], place[PATH_MAX];
    if (fd < 0) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, place, sizeof place - 1);
    if (length < 0 || strncmp(place, inside, strlen(inside)) != 0) abort();
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[PATH_MAX], target[64];
    const char *name;
    if (size < 2 || size >= sizeof path) return 0;
    size_t link_length = data[0] % sizeof target;
    if (link_length >= size) link_length = size - 1;
    memcpy(target, data + 1, link_length ? link_length - 1 : 0);
    target[link_length ? link_length - 1 : 0] = '\0';
    memcpy(path, data + link_length, size - link_length);
    path[size - link_length] = '\0';
    if (symlinkat(target, root, "l") < 0 && errno != EEXIST && errno != ENOENT) return 0;
    check_inside(path_make_directory(root, path, 0755));
    check_inside(path_make_parent(root, path, &name));
    check_inside(path_make_file(root, path, 0644));
    nftw(inside, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}
