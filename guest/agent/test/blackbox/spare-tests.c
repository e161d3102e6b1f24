// The snapshot, and the container that was made ready before it.

#include "containers.h"
#include "host.h"
#include "stage.h"
#include "tests.h"

#include <pb_decode.h>
#include <string.h>

static void snapshot_gives_the_next_nonce(void) {
    message(PrepareSnapshotRequest) request = {.has_spare = true, .spare = {
        .namespaces = NAMESPACES, .mounts = mounts, .mounts_count = PLAIN_MOUNTS, .devices = &device, .devices_count = 1}};
    message(PrepareSnapshotResponse) response = {0};
    uint8_t nonce[NONCE_SIZE];
    uint32_t stream = send_request("PrepareSnapshot", message_fields(PrepareSnapshotRequest), &request);
    struct answer answer = receive_frame();
    struct span payload;
    CHECK(answer.frame.stream == stream && decode_response(answer.frame.payload, &payload) == 0);
    pb_istream_t input = pb_istream_from_buffer(payload.data, payload.size);
    CHECK(pb_decode(&input, message_fields(PrepareSnapshotResponse), &response) && response.nonce.size == NONCE_SIZE);
    memcpy(nonce, response.nonce.data, NONCE_SIZE);
    free(answer.payload);
    dial();
    accept_offer(nonce); // unread, with the first request behind it
    message(PingRequest) ping = {0};
    stream = send_request("Ping", message_fields(PingRequest), &ping);
    uint8_t peeked[2];
    peek_exactly(peeked, sizeof peeked);
    if (peeked[1] == 'W') read_offer(nonce); // crossed with the accept
    message(PingResponse) pong = {0};
    CHECK(receive_response(stream, message_fields(PingResponse), &pong) == 0);
    pb_release(message_fields(PingResponse), &pong);
}

static unsigned find_spare(void) {
    char path[64];
    unsigned spare = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", stage_agent, stage_agent);
    FILE *children = fopen(path, "r");
    CHECK(children && fscanf(children, "%u", &spare) == 1);
    fclose(children);
    return spare;
}

static void spare_container_is_used_once(void) {
    unsigned spare = find_spare();
    struct streams *seen = run("hides", process_of("look", NULL), false);
    CHECK(created_pid != spare && strstr(seen->out, "masked=1\n")); // it wants what the spare one has not
    free(seen);
    hides_nothing = true;
    seen = run("spare", process_of("look", NULL), true);
    check_context = seen->out;
    CHECK(created_pid == spare);
    CHECK(strstr(seen->out, "pid=1 uid=0 gid=0 host=glass cwd=/made/here\n") && strstr(seen->out, "\ndescriptors=1\noutside=0\nroot-writable=0\n"));
    CHECK(strstr(seen->out, "\ninjected=1\ncopied-up=1\n") && seen->exit.code == 0);
    free(seen);
    seen = run("later", process_of("exit", "3"), false);
    CHECK(created_pid != spare && seen->exit.code == 3);
    free(seen);
    check_context = "";
    hides_nothing = false;
}

// It has none at first.
static void spare_container_gets_stdin(void) {
    unsigned spare = find_spare();
    message(Process) process = process_of("cat", NULL);
    message(StdioInput) input = {.data = {(const uint8_t *)"hello", 5}, .eof = true};
    struct streams *seen = calloc(1, sizeof *seen);
    process.stdin = true;
    hides_nothing = true;
    CHECK(seen && create("spare", process, false) == 0 && created_pid == spare && start("spare") == 0);
    uint32_t stream = attach("spare", NULL, 0);
    send_input(stream, &input);
    follow(stream, seen);
    CHECK(seen->length == 5 && memcmp(seen->out, "hello", 5) == 0 && seen->exit.code == 0);
    delete("spare");
    free(seen);
    hides_nothing = false;
}

static void spare_container_needs_no_image(void) {
    static char *hidden = "/secret";
    message(PrepareSnapshotRequest) request = {.has_spare = true, .spare = {
        .namespaces = NAMESPACES, .mounts = mounts, .mounts_count = PLAIN_MOUNTS, .masked_paths = &hidden, .masked_paths_count = 1}};
    CHECK(CALL("PrepareSnapshot", PrepareSnapshotRequest, PrepareSnapshotResponse, &request, NULL) == STATUS_INVALID_ARGUMENT);
    request.spare = (message(CreateContainerRequest)){.namespaces = NAMESPACES, .mounts = mounts, .mounts_count = COUNT(mounts)};
    CHECK(CALL("PrepareSnapshot", PrepareSnapshotRequest, PrepareSnapshotResponse, &request, NULL) == STATUS_INVALID_ARGUMENT);
}

void test_spare(void) {
    spare_container_needs_no_image();
    snapshot_gives_the_next_nonce();
    spare_container_is_used_once();
    snapshot_gives_the_next_nonce();
    spare_container_gets_stdin();
}
