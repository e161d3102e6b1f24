#include "service/methods.h"

#include "base/settings.h"
#include "container/cgroup.h"
#include "container/copy.h"
#include "container/create.h"
#include "container/end.h"
#include "container/spare.h"
#include "container/start.h"
#include "process/stdio-calls.h"
#include "protocol/session.h"
#include "rootfs/layers.h"
#include "service/shutdown.h"
#include "system/interfaces.h"
#include "system/network.h"
#include "system/personalize.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

// A handler with its request and response in their types.
#define HANDLER(function, Request, Response)                                                            \
    static int function(struct call *call, const message(Request) *request, message(Response) *response); \
    static int function##_untyped(struct call *call, void *request, void *response) {                  \
        return function(call, request, response);                                                      \
    }                                                                                                  \
    static int function(struct call *call, const message(Request) *request, message(Response) *response)

#define METHOD(Name, function, Request, Response)                                                      \
    { #Name, message_fields(Request), message_fields(Response), sizeof(message(Request)), sizeof(message(Response)), function##_untyped }

HANDLER(handle_personalize, PersonalizeRequest, PersonalizeResponse) {
    (void)response;
    return personalize(request, &call->failure);
}

HANDLER(handle_configure_network, ConfigureNetworkRequest, ConfigureNetworkResponse) {
    (void)response;
    return network_configure(request, &call->failure);
}

static void drop_caches(void) {
    AUTO_CLOSE int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "3", 1) < 0) log_line("cannot drop caches: %s", strerror(errno));
}

HANDLER(handle_prepare_snapshot, PrepareSnapshotRequest, PrepareSnapshotResponse) {
    static uint8_t nonce[NONCE_SIZE];
    // The request is ours to empty.
    message(CreateContainerRequest) *spare = (message(CreateContainerRequest) *)&request->spare;
    int error = settings.is_test ? 0 : interfaces_set_aside();
    if (error) return fail_errno(&call->failure, error, "cannot make a network namespace");
    error = request->has_spare ? spare_prepare(spare, &call->failure) : 0;
    if (error) return error;
    if (!settings.is_test) {
        sync();
        error = layers_forget_root_disk(&call->failure);
        if (error) return error;
        drop_caches();
        make_resident();
    }
    session_end_and_wait(nonce);
    response->nonce = (struct span){nonce, sizeof nonce};
    return 0;
}

HANDLER(handle_ping, PingRequest, PingResponse) {
    struct utsname name;
    struct sysinfo memory = {0}; // unlike /proc/meminfo it costs no text, which matters in the first answer of a clone
    (void)request;
    (void)call;
    sysinfo(&memory);
    response->agent_version = strdup(AGENT_VERSION);
    response->kernel_release = strdup(uname(&name) == 0 ? name.release : "");
    response->memory_total_bytes = (uint64_t)memory.totalram * memory.mem_unit;
    response->memory_available_bytes = (uint64_t)(memory.freeram + memory.bufferram) * memory.mem_unit;
    return 0;
}

HANDLER(handle_create, CreateContainerRequest, CreateContainerResponse) {
    return container_create(request, call->request, &response->pid, &call->failure);
}

HANDLER(handle_start, StartContainerRequest, StartResponse) {
    struct container *container = container_find(request->id, &call->failure);
    return container ? container_start(container, response, &call->failure) : -ENOENT;
}

HANDLER(handle_exec, ExecRequest, StartResponse) {
    return container_exec(request, response, &call->failure);
}

HANDLER(handle_stdio, StdioRequest, StdioResponse) {
    (void)response;
    struct process *process = process_find(request->container_id, request->exec_id, &call->failure);
    return process ? stdio_calls_begin(call, process, request->stdout_offset, request->stderr_offset) : -ENOENT;
}

HANDLER(handle_signal, SignalProcessRequest, SignalProcessResponse) {
    (void)response;
    struct process *process = process_find(request->container_id, request->exec_id, &call->failure);
    return process ? container_signal(process, request->signal, request->all, &call->failure) : -ENOENT;
}

HANDLER(handle_resize, ResizeTerminalRequest, ResizeTerminalResponse) {
    (void)response;
    struct process *process = process_find(request->container_id, request->exec_id, &call->failure);
    if (!process) return -ENOENT;
    struct winsize size = {.ws_row = (unsigned short)request->rows, .ws_col = (unsigned short)request->columns};
    if (process->terminal_fd < 0) return fail(&call->failure, STATUS_FAILED_PRECONDITION, "the process has no terminal");
    if (request->rows > UINT16_MAX || request->columns > UINT16_MAX) return fail(&call->failure, STATUS_INVALID_ARGUMENT, "too large");
    int error = ioctl(process->terminal_fd, TIOCSWINSZ, &size) < 0 ? errno : 0;
    return error ? fail_errno(&call->failure, error, "cannot resize the terminal") : 0;
}

HANDLER(handle_delete_process, DeleteProcessRequest, DeleteProcessResponse) {
    (void)response;
    struct process *process = process_find(request->container_id, request->exec_id, &call->failure);
    return process ? container_delete_process(process, &call->failure) : -ENOENT;
}

HANDLER(handle_delete_container, DeleteContainerRequest, DeleteContainerResponse) {
    (void)response;
    struct container *container = container_find(request->id, &call->failure);
    return container ? container_delete(container, &call->failure) : -ENOENT;
}

static message(ProcessState) describe_process(const struct process *process) {
    return (message(ProcessState)){
        .exec_id = process->exec_id[0] ? strdup(process->exec_id) : NULL,
        .pid = (uint32_t)process->pid,
        .started = process->started,
        .has_exit = process->exited,
        .exit = process->exited ? process_exit_status(process) : (message(ExitStatus)){0},
        .stdin_acknowledged = process->stdio.in.delivered,
        .stdout_acknowledged = process->stdio.out[0].acknowledged,
        .stderr_acknowledged = process->stdio.out[1].acknowledged,
    };
}

static bool describe_container(const struct container *container, message(ContainerState) *state) {
    size_t count = 0;
    for (struct process *process = container->processes; process; process = process->next) count++;
    state->id = strdup(container->id);
    state->processes = calloc(count ? count : 1, sizeof *state->processes);
    if (!state->id || !state->processes) return false;
    for (struct process *process = container->processes; process; process = process->next) {
        state->processes[state->processes_count++] = describe_process(process);
    }
    return true;
}

HANDLER(handle_list, ListContainersRequest, ListContainersResponse) {
    (void)request;
    size_t count = 0;
    for (struct container *container = containers; container; container = container->next) count++;
    response->containers = calloc(count ? count : 1, sizeof *response->containers);
    if (!response->containers) return fail_errno(&call->failure, ENOMEM, "no memory for a list");
    for (struct container *container = containers; container; container = container->next) {
        if (!describe_container(container, &response->containers[response->containers_count++])) {
            return fail_errno(&call->failure, ENOMEM, "no memory for a list");
        }
    }
    return 0;
}

HANDLER(handle_update, UpdateContainerRequest, UpdateContainerResponse) {
    (void)response;
    struct container *container = container_find(request->id, &call->failure);
    if (!container) return -ENOENT;
    return cgroup_write_files(container->cgroup_fd, request->cgroup_files, request->cgroup_files_count, &call->failure);
}

HANDLER(handle_stats, StatsRequest, StatsResponse) {
    struct container *container = container_find(request->container_id, &call->failure);
    if (!container) return -ENOENT;
    cgroup_stats(container->cgroup_fd, response);
    return 0;
}

HANDLER(handle_write_file, WriteFileRequest, WriteFileResponse) {
    (void)response;
    struct container *container = container_find(request->container_id, &call->failure);
    return container ? copy_write(container, request, &call->failure) : -ENOENT;
}

HANDLER(handle_read_file, ReadFileRequest, ReadFileResponse) {
    struct container *container = container_find(request->container_id, &call->failure);
    return container ? copy_read(container, request, response, &call->failure) : -ENOENT;
}

HANDLER(handle_shutdown, ShutdownRequest, ShutdownResponse) {
    (void)response;
    shutdown_begin(call, request->grace_milliseconds);
    return 0;
}

const struct method methods[] = {
    METHOD(Personalize, handle_personalize, PersonalizeRequest, PersonalizeResponse),
    METHOD(ConfigureNetwork, handle_configure_network, ConfigureNetworkRequest, ConfigureNetworkResponse),
    METHOD(PrepareSnapshot, handle_prepare_snapshot, PrepareSnapshotRequest, PrepareSnapshotResponse),
    METHOD(Ping, handle_ping, PingRequest, PingResponse),
    METHOD(CreateContainer, handle_create, CreateContainerRequest, CreateContainerResponse),
    METHOD(StartContainer, handle_start, StartContainerRequest, StartResponse),
    METHOD(Exec, handle_exec, ExecRequest, StartResponse),
    METHOD(Stdio, handle_stdio, StdioRequest, StdioResponse),
    METHOD(SignalProcess, handle_signal, SignalProcessRequest, SignalProcessResponse),
    METHOD(ResizeTerminal, handle_resize, ResizeTerminalRequest, ResizeTerminalResponse),
    METHOD(DeleteProcess, handle_delete_process, DeleteProcessRequest, DeleteProcessResponse),
    METHOD(DeleteContainer, handle_delete_container, DeleteContainerRequest, DeleteContainerResponse),
    METHOD(ListContainers, handle_list, ListContainersRequest, ListContainersResponse),
    METHOD(UpdateContainer, handle_update, UpdateContainerRequest, UpdateContainerResponse),
    METHOD(Stats, handle_stats, StatsRequest, StatsResponse),
    METHOD(WriteFile, handle_write_file, WriteFileRequest, WriteFileResponse),
    METHOD(ReadFile, handle_read_file, ReadFileRequest, ReadFileResponse),
    METHOD(Shutdown, handle_shutdown, ShutdownRequest, ShutdownResponse),
    {0},
};

void methods_forget_calls(void) {
    shutdown_forget_call();
}
