#include "container/create.h"

#include "container/cgroup.h"
#include "container/check.h"
#include "container/end.h"
#include "container/spare.h"
#include "process/spawn.h"
#include "rootfs/layers.h"
#include "rootfs/share.h"

#include <sys/syscall.h>

static int check_create(const message(CreateContainerRequest) *request, struct failure *why) {
    size_t count = 0;
    if (!id_is_valid(text_or_empty(request->id))) return fail(why, STATUS_INVALID_ARGUMENT, "not a container id");
    if (container_named(request->id)) return fail(why, STATUS_ALREADY_EXISTS, "container '%.128s' exists", request->id);
    for (struct container *other = containers; other; other = other->next) count++;
    if (count >= CONTAINERS_LIMIT) return fail(why, STATUS_RESOURCE_EXHAUSTED, "too many containers");
    if (check_namespaces(request->namespaces, why) || check_joins(request, why)) return -EINVAL;
    bool has_folder = text_or_empty(request->rootfs.folder)[0];
    if (!request->has_rootfs || has_folder == (request->rootfs.layers_count > 0)) {
        return fail(why, STATUS_INVALID_ARGUMENT, "a root needs layers or a folder");
    }
    if (request->rootfs.layers_count > LAYERS_LIMIT) return fail(why, STATUS_RESOURCE_EXHAUSTED, "too many layers");
    return check_process(&request->process, request->has_process, why);
}

static int acquire_layers(struct container *container, const message(Rootfs) *rootfs, struct failure *why) {
    for (size_t i = 0; i < rootfs->layers_count; i++) {
        if (!rootfs->layers[i].type) return fail(why, STATUS_INVALID_ARGUMENT, "a layer needs a type");
        int error = layers_acquire(&rootfs->layers[i], why);
        if (error) return error;
        container->luns[container->lun_count++] = rootfs->layers[i].lun;
    }
    return 0;
}

static int acquire_share(struct container *container, const message(CreateContainerRequest) *request, struct failure *why) {
    int error = share_is_wanted(request) ? share_acquire(why) : 0;
    container->has_share = !error && share_is_wanted(request);
    return error;
}

// By the child's own descriptor: the way through /proc would be code that nothing else needs.
static int take_root(struct container *container, int root, struct failure *why) {
    container->root_fd = (int)syscall(SYS_pidfd_getfd, container->pidfd, root, 0);
    return container->root_fd < 0 ? fail_errno(why, errno, "cannot open the container's root") : 0;
}

// Whose namespaces are joined must live: with its first process they would go.
static int find_joins(struct spawn *spawn, const message(CreateContainerRequest) *request, struct failure *why) {
    if (request->joins_count > JOINS_LIMIT) return fail(why, STATUS_INVALID_ARGUMENT, "too many namespaces to join");
    for (size_t i = 0; i < request->joins_count; i++) {
        const message(Join) *join = &request->joins[i];
        const struct container *other = container_find(join->container_id, why);
        if (!other) return -ENOENT;
        if (!other->processes || other->processes->exited || other->pidfd < 0) {
            return fail(why, STATUS_FAILED_PRECONDITION, "container '%.128s', whose namespace is to be joined, has ended", other->id);
        }
        spawn->joins[spawn->joins_count++] = (struct joined){join->namespace, other->pidfd};
    }
    return 0;
}

// The first process of a container that is made from nothing.
static int spawn_first(struct container *container, const message(CreateContainerRequest) *request, struct failure *why) {
    struct spawn spawn = {.container = container, .process = &request->process, .create = request};
    int error = find_joins(&spawn, request, why);
    if (error) return error;
    struct process *first = container_add_process(container, "");
    if (!first) return fail_errno(why, ENOMEM, "no memory for a process");
    return spawn_process(first, &spawn, &container->pidfd, why);
}

static int build(struct container *container, const message(CreateContainerRequest) *request, struct span encoded, struct failure *why) {
    bool is_spare = container->processes != NULL;
    int root = -1;
    int error = is_spare ? 0 : acquire_layers(container, &request->rootfs, why);
    if (!error) error = acquire_share(container, request, why);
    if (!error && !is_spare) error = cgroup_create(container->cgroup_name, &container->cgroup_fd, why);
    if (!error && is_spare) error = spare_limit(container, request, why);
    if (!error && !is_spare) error = cgroup_write_files(container->cgroup_fd, request->cgroup_files, request->cgroup_files_count, why);
    if (!error) error = is_spare ? spare_hand_over(container, request, encoded, why) : spawn_first(container, request, why);
    if (!error) error = spawn_await_ready(container->processes, &root, why);
    if (!error) error = take_root(container, root, why);
    return error;
}

int container_create(const message(CreateContainerRequest) *request, struct span encoded, uint32_t *pid, struct failure *why) {
    struct failure ignored;
    int error = check_create(request, why);
    if (error) return error;
    struct container *container = spare_take(request, encoded.size);
    if (!container) container = container_new(request->id, request->namespaces);
    if (!container) return fail_errno(why, ENOMEM, "no memory for a container");
    for (size_t i = 0; i < request->joins_count; i++) container->joined |= request->joins[i].namespace;
    container->next = containers;
    containers = container;
    error = build(container, request, encoded, why);
    if (error) container_delete(container, &ignored);
    else *pid = (uint32_t)container->processes->pid;
    return error;
}
