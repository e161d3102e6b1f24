#include "container/spare.h"

#include "container/cgroup.h"
#include "container/check.h"
#include "container/end.h"
#include "process/control.h"
#include "process/spawn.h"
#include "rootfs/path.h"
#include "rootfs/share.h"

#include <fcntl.h>
#include <pb_decode.h>
#include <string.h>

// No container can have this name.
static const char NAME[] = "_spare";

static struct container *spare;
static message(CreateContainerRequest) pattern;

// Here the way through /proc costs nothing: a clone has it behind it.
static int hold_mounts(struct container *container, pid_t pid, struct failure *why) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/mnt", pid);
    container->mounts_fd = open(path, O_RDONLY | O_CLOEXEC);
    return container->mounts_fd < 0 ? fail_errno(why, errno, "cannot open %s", path) : 0;
}

static int make(struct container *container, struct failure *why) {
    // Most have no stdin; those that have one get it with their request.
    message(Process) process = {0};
    struct spawn spawn = {.container = container, .process = &process, .spare = &pattern};
    int root;
    int error = cgroup_create(NAME, &container->cgroup_fd, why);
    if (!error) error = cgroup_write_files(container->cgroup_fd, pattern.cgroup_files, pattern.cgroup_files_count, why);
    struct process *first = error ? NULL : container_add_process(container, "");
    if (!error && !first) error = fail_errno(why, ENOMEM, "no memory for a process");
    if (!error) error = spawn_process(first, &spawn, &container->pidfd, why);
    if (!error) error = spawn_await_ready(first, &root, why);
    if (!error) error = hold_mounts(container, first->pid, why);
    return error;
}

static bool is_surrounded(const message(CreateContainerRequest) *request, const char *path) {
    for (size_t i = 0; i < request->mounts_count; i++) {
        if (path_is_below(text_or_empty(path), text_or_empty(request->mounts[i].destination))) return true;
    }
    return false;
}

// All that is made must lie on mounts of its own: what lies in the image cannot be hidden, bound or copied yet.
static bool can_do_without_image(const message(CreateContainerRequest) *request) {
    for (size_t i = 0; i < request->mounts_count; i++) {
        const message(Mount) *mount = &request->mounts[i];
        if (mount->copy_up || !text_or_empty(mount->type)[0] || !text_or_empty(mount->destination)[0]) return false;
    }
    for (size_t i = 0; i < request->devices_count; i++) {
        if (!is_surrounded(request, request->devices[i].path)) return false;
    }
    for (size_t i = 0; i < request->masked_paths_count; i++) {
        if (!is_surrounded(request, request->masked_paths[i])) return false;
    }
    for (size_t i = 0; i < request->readonly_paths_count; i++) {
        if (!is_surrounded(request, request->readonly_paths[i])) return false;
    }
    return true;
}

int spare_prepare(message(CreateContainerRequest) *request, struct failure *why) {
    struct failure ignored;
    if (spare) return fail(why, STATUS_ALREADY_EXISTS, "there is a spare container");
    int error = check_namespaces(request->namespaces, why);
    if (error) return error;
    if (!can_do_without_image(request)) return fail(why, STATUS_INVALID_ARGUMENT, "a spare container that needs an image");
    struct container *container = container_new(NAME, request->namespaces);
    if (!container) return fail_errno(why, ENOMEM, "no memory for a container");
    pb_release(message_fields(CreateContainerRequest), &pattern); // of the spare container before this one
    pattern = *request;
    memset(request, 0, sizeof *request);
    error = make(container, why);
    if (error) container_delete(container, &ignored);
    else spare = container;
    return error;
}

static bool same_text(const char *a, const char *b) {
    return strcmp(text_or_empty(a), text_or_empty(b)) == 0;
}

static bool same_texts(char **a, size_t a_count, char **b, size_t b_count) {
    if (a_count != b_count) return false;
    for (size_t i = 0; i < a_count; i++) {
        if (!same_text(a[i], b[i])) return false;
    }
    return true;
}

static bool same_mount(const message(Mount) *a, const message(Mount) *b) {
    return same_text(a->destination, b->destination) && same_text(a->type, b->type) && same_text(a->source, b->source) &&
           a->flags == b->flags && same_text(a->data, b->data) && a->propagation == b->propagation && a->copy_up == b->copy_up &&
           a->recursive_set == b->recursive_set && a->recursive_clear == b->recursive_clear;
}

static bool same_device(const message(DeviceNode) *a, const message(DeviceNode) *b) {
    return same_text(a->path, b->path) && a->type == b->type && a->major == b->major && a->minor == b->minor && a->mode == b->mode &&
           a->uid == b->uid && a->gid == b->gid;
}

// Further mounts are made on top, but not inside: what is hidden there is hidden already.
static bool mounts_fit(const message(CreateContainerRequest) *request) {
    if (request->mounts_count < pattern.mounts_count) return false;
    for (size_t i = 0; i < pattern.mounts_count; i++) {
        if (!same_mount(&request->mounts[i], &pattern.mounts[i])) return false;
    }
    for (size_t i = pattern.mounts_count; i < request->mounts_count; i++) {
        for (size_t k = 0; k < pattern.mounts_count; k++) {
            const char *path = text_or_empty(request->mounts[i].destination), *taken = pattern.mounts[k].destination;
            if (same_text(path, taken) || path_is_below(path, taken) || path_is_below(taken, path)) return false;
        }
    }
    return true;
}

static bool devices_fit(const message(CreateContainerRequest) *request) {
    if (request->devices_count != pattern.devices_count) return false;
    for (size_t i = 0; i < pattern.devices_count; i++) {
        if (!same_device(&request->devices[i], &pattern.devices[i])) return false;
    }
    return true;
}

static const message(KeyValue) *find_cgroup_file(const message(CreateContainerRequest) *request, const char *name) {
    for (size_t i = 0; i < request->cgroup_files_count; i++) {
        if (same_text(request->cgroup_files[i].key, name)) return &request->cgroup_files[i];
    }
    return NULL;
}

// What was limited must be limited anew, or as it is: nobody knows what it was before.
static bool limits_fit(const message(CreateContainerRequest) *request) {
    for (size_t i = 0; i < pattern.cgroup_files_count; i++) {
        if (!find_cgroup_file(request, pattern.cgroup_files[i].key)) return false;
    }
    return true;
}

int spare_limit(struct container *container, const message(CreateContainerRequest) *request, struct failure *why) {
    int error = 0;
    for (size_t i = 0; !error && i < request->cgroup_files_count; i++) {
        const message(KeyValue) *file = &request->cgroup_files[i], *present = find_cgroup_file(&pattern, text_or_empty(file->key));
        if (present && same_text(present->value, file->value)) continue;
        error = cgroup_write_files(container->cgroup_fd, file, 1, why);
    }
    return error;
}

// The spare container's mount namespace is older than the share, and its process has joined nobody.
static bool fits(const message(CreateContainerRequest) *request) {
    return !share_is_wanted(request) && request->joins_count == 0 && request->namespaces == pattern.namespaces && mounts_fit(request) && devices_fit(request) && limits_fit(request) &&
           same_texts(request->masked_paths, request->masked_paths_count, pattern.masked_paths, pattern.masked_paths_count) &&
           same_texts(request->readonly_paths, request->readonly_paths_count, pattern.readonly_paths, pattern.readonly_paths_count);
}

struct container *spare_take(const message(CreateContainerRequest) *request, size_t encoded_size) {
    struct container *container = spare;
    if (!container || encoded_size > SPARE_REQUEST_LIMIT || !fits(request)) return NULL;
    spare = NULL;
    snprintf(container->id, sizeof container->id, "%s", request->id);
    return container;
}

int spare_hand_over(struct container *container, const message(CreateContainerRequest) *request, struct span encoded, struct failure *why) {
    struct process *first = container->processes;
    int in[2] = {-1, -1};
    int error = 0;
    if (request->process.terminal) {
        stdio_streams_close(&first->stdio);
        stdio_streams_init(&first->stdio);
    } else if (request->process.stdin) {
        error = spawn_make_pipe(in, false);
        if (!error) error = stdio_streams_open_input(&first->stdio, in[0]);
    }
    if (!error) error = control_send(first->control_fd, encoded, in[1]);
    close_scoped(&in[1]);
    return error ? fail_errno(why, error, "the spare container is gone") : 0;
}
