#include "containers.h"

#include "host.h"

#include <pb_decode.h>
#include <pb_encode.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>

char *arguments[4];
static char *environment[] = {"PATH=/nowhere:/bin", "MARK=seen"};

message(Process) process_of(char *what, char *value) {
    arguments[0] = "probe";
    arguments[1] = what;
    arguments[2] = value;
    return (message(Process)){.args = arguments, .args_count = value ? 3 : 2, .env = environment, .env_count = 2, .cwd = "/made/here"};
}

message(Mount) mounts[MOUNTS] = {
    {.destination = "/proc", .type = "proc", .source = "proc"},
    {.destination = "/dev", .type = "tmpfs", .source = "tmpfs"},
    {.destination = "/dev/pts", .type = "devpts", .source = "devpts", .data = "newinstance,ptmxmode=0666"},
    {.destination = "/full", .type = "tmpfs", .source = "tmpfs", .copy_up = true},
};
message(DeviceNode) device = {.path = "/dev/null", .type = S_IFCHR, .major = 1, .minor = 3, .mode = 0666};
const uint64_t NAMESPACES = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC;
uint32_t created_pid;
bool hides_nothing;

uint32_t create(char *id, message(Process) process, bool read_only) {
    static message(Layer) layer = {.lun = 1, .type = "erofs"};
    static message(InjectedFile) file = {.path = "/etc/injected", .content = {(const uint8_t *)"!", 1}, .mode = 0644};
    static char *masked[] = {"/secret", "/not/there"};
    message(CreateContainerRequest) request = {
        .id = id, .has_rootfs = true, .rootfs = {.layers = &layer, .layers_count = 1, .read_only = read_only},
        .has_process = true, .process = process, .namespaces = NAMESPACES,
        .hostname = "glass", .mounts = mounts, .mounts_count = COUNT(mounts), .files = &file, .files_count = 1,
        .devices = &device, .devices_count = 1, .masked_paths = masked, .masked_paths_count = hides_nothing ? 0 : COUNT(masked)};
    message(CreateContainerResponse) response = {0};
    uint32_t code = CALL("CreateContainer", CreateContainerRequest, CreateContainerResponse, &request, &response);
    created_pid = response.pid;
    return code;
}

message(CreateContainerRequest) describe_shared(char *id, message(Process) process) {
    return (message(CreateContainerRequest)){
        .id = id, .has_rootfs = true, .rootfs.folder = "c/root", .has_process = true, .process = process,
        .namespaces = NAMESPACES, .hostname = "glass", .mounts = mounts, .mounts_count = PLAIN_MOUNTS, .devices = &device, .devices_count = 1};
}

uint32_t create_as(message(CreateContainerRequest) *request) {
    message(CreateContainerResponse) response = {0};
    uint32_t code = CALL("CreateContainer", CreateContainerRequest, CreateContainerResponse, request, &response);
    created_pid = response.pid;
    return code;
}

void expect(message(CreateContainerRequest) *request, uint32_t code, const char *output) {
    struct streams *streams = calloc(1, sizeof *streams);
    CHECK(streams && create_as(request) == 0 && start(request->id) == 0);
    follow(attach(request->id, NULL, 0), streams);
    delete(request->id);
    check_context = streams->out;
    CHECK(streams->exit.code == code && (!output || strcmp(streams->out, output) == 0));
    check_context = "";
    free(streams);
}

uint32_t start(char *id) {
    message(StartContainerRequest) request = {.id = id};
    message(StartResponse) response = {0};
    CHECK(CALL("StartContainer", StartContainerRequest, StartResponse, &request, &response) == 0);
    uint32_t error = response.exec_errno;
    pb_release(message_fields(StartResponse), &response);
    return error;
}

void delete(char *id) {
    message(DeleteContainerRequest) request = {.id = id};
    message(DeleteContainerResponse) response = {0};
    CHECK(CALL("DeleteContainer", DeleteContainerRequest, DeleteContainerResponse, &request, &response) == 0);
}

void send_input(uint32_t stream, const message(StdioInput) *input) {
    size_t size;
    CHECK(pb_get_encoded_size(&size, message_fields(StdioInput), input));
    uint8_t *bytes = malloc(FRAME_HEADER_SIZE + size);
    CHECK(bytes);
    frame_write_header(bytes, (uint32_t)size, stream, FRAME_DATA, 0);
    pb_ostream_t output = pb_ostream_from_buffer(bytes + FRAME_HEADER_SIZE, size);
    CHECK(pb_encode(&output, message_fields(StdioInput), input));
    send_exactly(bytes, FRAME_HEADER_SIZE + size);
    free(bytes);
}

uint32_t attach(char *id, char *exec_id, uint64_t stdout_offset) {
    message(StdioRequest) request = {.container_id = id, .exec_id = exec_id, .stdout_offset = stdout_offset};
    return send_request("Stdio", message_fields(StdioRequest), &request);
}

// Follows a Stdio call to its end, or until the agent has filled its window.
void follow(uint32_t stream, struct streams *streams) {
    while (!streams->stop_unacknowledged || !host_is_silent()) {
        struct answer answer = receive_frame();
        message(StdioOutput) output = {0};
        pb_istream_t input = pb_istream_from_buffer(answer.frame.payload.data, answer.frame.payload.size);
        bool ended = answer.frame.type == FRAME_RESPONSE;
        if (ended) {
            struct span payload;
            message(StdioResponse) response = {0};
            CHECK(decode_response(answer.frame.payload, &payload) == 0);
            input = pb_istream_from_buffer(payload.data, payload.size);
            CHECK(pb_decode(&input, message_fields(StdioResponse), &response));
            streams->exit = response.exit;
        } else {
            CHECK(pb_decode(&input, message_fields(StdioOutput), &output));
            CHECK(output.data.size <= STDIO_LIMIT_BYTES);
            if (output.stream == 1 && output.data.size) {
                CHECK(output.offset == streams->length && streams->length + output.data.size < sizeof streams->out);
                memcpy(streams->out + streams->length, output.data.data, output.data.size);
                streams->length += output.data.size;
                message(StdioInput) acknowledge = {.has_stdout_acknowledged = true, .stdout_acknowledged = streams->length};
                if (!streams->stop_unacknowledged) send_input(stream, &acknowledge);
            }
        }
        free(answer.payload);
        if (ended) return;
    }
}

struct streams *run(char *id, message(Process) process, bool read_only) {
    struct streams *streams = calloc(1, sizeof *streams);
    CHECK(streams && create(id, process, read_only) == 0);
    CHECK(start(id) == 0);
    follow(attach(id, NULL, 0), streams);
    delete(id);
    return streams;
}
