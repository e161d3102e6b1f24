// The agent as a host sees it: started under a folder of the test's own, driven over a socket.

#include "protocol/marker.h"
#include "support.h"

#include <fcntl.h>
#include <ftw.h>
#include <pb_decode.h>
#include <pb_encode.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

enum { TIMEOUT_MS = 20 * 1000 };

static char root[128];
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static pid_t agent;
static int host = -1;
static uint32_t next_stream;

// ---- a host

static void receive_exactly(uint8_t *out, size_t size) {
    for (size_t done = 0; done < size;) {
        struct pollfd state = {.fd = host, .events = POLLIN};
        CHECK(poll(&state, 1, TIMEOUT_MS) == 1);
        ssize_t count = read(host, out + done, size - done);
        CHECK(count > 0);
        done += (size_t)count;
    }
}

static void send_exactly(const void *data, size_t size) {
    CHECK(send(host, data, size, MSG_NOSIGNAL) == (ssize_t)size);
}

static void read_offer(uint8_t nonce[NONCE_SIZE]) {
    uint8_t offer[MARKER_SIZE], expected[MARKER_SIZE];
    receive_exactly(offer, sizeof offer);
    memcpy(nonce, offer + 20, NONCE_SIZE);
    marker_write_offer(expected, nonce);
    CHECK(memcmp(offer, expected, sizeof offer) == 0);
}

static void accept_offer(const uint8_t nonce[NONCE_SIZE]) {
    uint8_t accept[MARKER_SIZE];
    marker_write_accept(accept, nonce);
    send_exactly(accept, sizeof accept);
    next_stream = 1;
}

static void dial(void) {
    if (host >= 0) close(host);
    host = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(host >= 0 && connect(host, (struct sockaddr *)&address, sizeof address) == 0);
}

static void begin_session(void) {
    uint8_t nonce[NONCE_SIZE];
    dial();
    read_offer(nonce);
    accept_offer(nonce);
}

// ---- calls

static uint32_t send_request(const char *method, const pb_msgdesc_t *fields, const void *request) {
    uint8_t *bytes;
    uint32_t stream = next_stream;
    size_t size = encode_request(&bytes, stream, method, fields, request);
    send_exactly(bytes, size);
    free(bytes);
    next_stream += 2;
    return stream;
}

struct answer {
    uint8_t *payload; // of the frame, to be freed
    struct frame frame;
};

static struct answer receive_frame(void) {
    uint8_t header[FRAME_HEADER_SIZE];
    receive_exactly(header, sizeof header);
    size_t size = (size_t)header[0] << 24 | (size_t)header[1] << 16 | (size_t)header[2] << 8 | header[3];
    CHECK(size <= FRAME_LIMIT_BYTES);
    struct answer answer = {.payload = malloc(size + 1)};
    CHECK(answer.payload);
    receive_exactly(answer.payload, size);
    answer.frame = (struct frame){.stream = header[7], .type = header[8], .flags = header[9], .payload = {answer.payload, size}};
    return answer;
}

static uint32_t receive_response(uint32_t stream, const pb_msgdesc_t *fields, void *response) {
    struct answer answer = receive_frame();
    struct span payload;
    CHECK(answer.frame.type == FRAME_RESPONSE && answer.frame.stream == (stream & 0xff));
    uint32_t code = decode_response(answer.frame.payload, &payload);
    pb_istream_t input = pb_istream_from_buffer(payload.data, payload.size);
    if (code == 0 && fields) CHECK(pb_decode(&input, fields, response));
    free(answer.payload);
    return code;
}

#define CALL(Method, Request, Response, request, response) \
    receive_response(send_request(Method, message_fields(Request), request), message_fields(Response), response)

// ---- containers

static char *arguments[4];
static char *environment[] = {"PATH=/nowhere:/bin", "MARK=seen"};

static message(Process) process_of(char *what, char *value) {
    arguments[0] = "probe";
    arguments[1] = what;
    arguments[2] = value;
    return (message(Process)){.args = arguments, .args_count = value ? 3 : 2, .env = environment, .env_count = 2, .cwd = "/made/here"};
}

static message(Mount) mounts[] = {
    {.destination = "/proc", .type = "proc", .source = "proc"},
    {.destination = "/dev", .type = "tmpfs", .source = "tmpfs"},
    {.destination = "/dev/pts", .type = "devpts", .source = "devpts", .data = "newinstance,ptmxmode=0666"},
    {.destination = "/full", .type = "tmpfs", .source = "tmpfs", .copy_up = true},
};
static message(DeviceNode) device = {.path = "/dev/null", .type = S_IFCHR, .major = 1, .minor = 3, .mode = 0666};
enum { PLAIN_MOUNTS = 3 }; // that need no image
static const uint64_t NAMESPACES = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC;
static uint32_t created_pid;
static bool hides_nothing;

static uint32_t create(char *id, message(Process) process, bool read_only) {
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

static uint32_t start(char *id) {
    message(StartContainerRequest) request = {.id = id};
    message(StartResponse) response = {0};
    CHECK(CALL("StartContainer", StartContainerRequest, StartResponse, &request, &response) == 0);
    uint32_t error = response.exec_errno;
    pb_release(message_fields(StartResponse), &response);
    return error;
}

static void delete(char *id) {
    message(DeleteContainerRequest) request = {.id = id};
    message(DeleteContainerResponse) response = {0};
    CHECK(CALL("DeleteContainer", DeleteContainerRequest, DeleteContainerResponse, &request, &response) == 0);
}

static void send_input(uint32_t stream, const message(StdioInput) *input) {
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

static uint32_t attach(char *id, char *exec_id, uint64_t stdout_offset) {
    message(StdioRequest) request = {.container_id = id, .exec_id = exec_id, .stdout_offset = stdout_offset};
    return send_request("Stdio", message_fields(StdioRequest), &request);
}

struct streams {
    char out[1 << 20];
    uint64_t length;         // offset behind the last byte of stdout
    message(ExitStatus) exit;
    bool stop_unacknowledged; // stop when the agent sends no more
};

static bool host_is_silent(void) {
    struct pollfd state = {.fd = host, .events = POLLIN};
    return poll(&state, 1, 300) == 0;
}

// Follows a Stdio call to its end, or until the agent has filled its window.
static void follow(uint32_t stream, struct streams *streams) {
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

static struct streams *run(char *id, message(Process) process, bool read_only) {
    struct streams *streams = calloc(1, sizeof *streams);
    CHECK(streams && create(id, process, read_only) == 0);
    CHECK(start(id) == 0);
    follow(attach(id, NULL, 0), streams);
    delete(id);
    return streams;
}

// ---- the tests

static void container_is_what_was_asked_for(void) {
    message(Process) process = process_of("look", NULL);
    process.uid = 12;
    process.gid = 34;
    process.no_new_privileges = true;
    process.has_umask = true;
    process.umask = 077;
    struct streams *seen = run("look", process, true);
    check_context = seen->out;
    CHECK(strstr(seen->out, "pid=1 uid=12 gid=34 host=glass cwd=/made/here\numask=077 nnp=1\ndescriptors=1\noutside=0\n"
                            "root-writable=0\nmasked=1\ninjected=1\ncopied-up=1\n"));
    CHECK(seen->exit.code == 0);
    free(seen);
    seen = run("again", process_of("environment", NULL), false);
    CHECK(strcmp(seen->out, "seen\n") == 0);
    free(seen);
    seen = run("code", process_of("exit", "42"), false);
    CHECK(seen->exit.code == 42 && seen->exit.signal == 0 && seen->length == 0);
    free(seen);
    check_context = "";
}

static void terminal_is_the_process_s_own(void) {
    message(Process) process = process_of("terminal", NULL);
    process.terminal = true;
    process.rows = 24;
    process.columns = 80;
    struct streams *seen = run("tty", process, false);
    check_context = seen->out;
    CHECK(strcmp(seen->out, "tty=1 rows=24 columns=80 foreground=1\r\n") == 0);
    check_context = "";
    free(seen);
}

static void command_that_is_missing_is_an_answer(void) {
    message(Process) process = process_of("look", NULL);
    arguments[0] = "nosuch";
    CHECK(create("nosuch", process, false) == 0);
    CHECK(start("nosuch") == ENOENT);
    delete("nosuch");
}

static void orphan_does_not_hold_the_end_back(void) {
    struct streams *seen = run("orphan", process_of("orphan", NULL), false);
    CHECK(strcmp(seen->out, "bye\n") == 0 && seen->exit.code == 0);
    free(seen);
}

// The window fills, the host dies, the next one goes on behind what has been acknowledged: no byte is lost or sent twice.
static void output_survives_hosts(void) {
    struct streams *streams = calloc(1, sizeof *streams);
    CHECK(streams && create("flood", process_of("flood", "524288"), false) == 0 && start("flood") == 0);
    streams->stop_unacknowledged = true;
    follow(attach("flood", NULL, 0), streams);
    CHECK(streams->length == 256 * 1024);
    begin_session();
    streams->length = 1000;
    streams->stop_unacknowledged = false;
    follow(attach("flood", NULL, 1000), streams);
    CHECK(streams->length == 524288 && streams->exit.code == 0);
    for (size_t i = 0; i < streams->length; i++) CHECK(streams->out[i] == (char)(i / 1000));
    delete("flood");
    free(streams);
}

static void exec_and_input(void) {
    struct streams *streams = calloc(1, sizeof *streams);
    CHECK(streams && create("main", process_of("sleep", NULL), false) == 0 && start("main") == 0);
    message(ExecRequest) exec = {.container_id = "main", .exec_id = "e1", .has_process = true, .process = process_of("cat", NULL)};
    message(StartResponse) started = {0};
    exec.process.stdin = true;
    CHECK(CALL("Exec", ExecRequest, StartResponse, &exec, &started) == 0 && started.exec_errno == 0);
    uint32_t stream = attach("main", "e1", 0);
    message(StdioInput) twice[] = {{.data = {(const uint8_t *)"hello", 5}},
                                   {.data = {(const uint8_t *)"lo world", 8}, .offset = 3, .eof = true}};
    send_input(stream, &twice[0]);
    send_input(stream, &twice[1]);
    follow(stream, streams);
    CHECK(strcmp(streams->out, "hello world") == 0 && streams->exit.code == 0);
    CHECK(CALL("Exec", ExecRequest, StartResponse, &exec, &started) == STATUS_ALREADY_EXISTS);
    message(SignalProcessRequest) kill_it = {.container_id = "main", .signal = SIGKILL};
    message(SignalProcessResponse) killed = {0};
    CHECK(CALL("SignalProcess", SignalProcessRequest, SignalProcessResponse, &kill_it, &killed) == 0);
    follow(attach("main", NULL, 0), streams);
    CHECK(streams->exit.code == 137 && streams->exit.signal == SIGKILL);
    delete("main");
    free(streams);
}

static void files_stay_inside(void) {
    message(WriteFileRequest) write_request = {.container_id = "files", .path = "/escape/../../../etc/written", .mode = 0640,
                                               .data = {(const uint8_t *)"text", 4}};
    message(ReadFileRequest) read_request = {.container_id = "files", .path = "/etc/written", .length = 100};
    message(WriteFileResponse) written = {0};
    CHECK(create("files", process_of("sleep", NULL), false) == 0);
    CHECK(CALL("WriteFile", WriteFileRequest, WriteFileResponse, &write_request, &written) == 0);
    CHECK(access("/etc/written", F_OK) < 0);
    uint32_t stream = send_request("ReadFile", message_fields(ReadFileRequest), &read_request);
    struct answer answer = receive_frame();
    CHECK(answer.frame.stream == (stream & 0xff) && memmem(answer.payload, answer.frame.payload.size, "text", 4));
    free(answer.payload);
    read_request.path = "/escape/passwd"; // a link to ../../../../etc
    CHECK(CALL("ReadFile", ReadFileRequest, WriteFileResponse, &read_request, &written) == STATUS_NOT_FOUND);
    delete("files");
}

static void nothing_is_left_behind(void) {
    char line[1024];
    snprintf(line, sizeof line, "/proc/%d/mountinfo", agent);
    FILE *table = fopen(line, "r");
    CHECK(table);
    while (fgets(line, sizeof line, table)) CHECK(!strstr(line, root));
    fclose(table);
}

// Every request of the golden vectors, and what it has to lead to, each in a session of its own.
static void refuse_vector(const struct vector *vector) {
    const char *verdict = vector_value(vector, "verdict");
    uint8_t nonce[NONCE_SIZE];
    if (strcmp(vector_value(vector, "kind"), "frame") != 0 || strcmp(vector_value(vector, "from"), "host") != 0) return;
    if (strcmp(verdict, "valid") == 0) return;
    check_context = vector->name;
    begin_session();
    send_exactly(vector->bytes, vector->size);
    if (strcmp(verdict, "breach") == 0) {
        read_offer(nonce);
        accept_offer(nonce); // the same host may go on
    } else {
        uint32_t code = receive_response((uint32_t)vector_number(vector, "stream"), NULL, NULL);
        CHECK(code == (strcmp(verdict, "unknown") == 0 ? STATUS_UNIMPLEMENTED : STATUS_INVALID_ARGUMENT));
        next_stream = 3;
    }
    message(PingRequest) ping = {0};
    message(PingResponse) pong = {0};
    CHECK(CALL("Ping", PingRequest, PingResponse, &ping, &pong) == 0 && pong.memory_total_bytes > 0);
    pb_release(message_fields(PingResponse), &pong);
    check_context = "";
}

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
    uint8_t byte;
    struct pollfd state = {.fd = host, .events = POLLIN};
    CHECK(poll(&state, 1, TIMEOUT_MS) == 1 && recv(host, &byte, 1, MSG_PEEK) == 1);
    uint8_t peeked[2];
    CHECK(recv(host, peeked, 2, MSG_PEEK) == 2);
    if (peeked[1] == 'W') read_offer(nonce); // crossed with the accept
    message(PingResponse) pong = {0};
    CHECK(receive_response(stream, message_fields(PingResponse), &pong) == 0);
    pb_release(message_fields(PingResponse), &pong);
}

static void spare_container_is_used_once(void) {
    char path[64];
    unsigned spare = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", agent, agent);
    FILE *children = fopen(path, "r");
    CHECK(children && fscanf(children, "%u", &spare) == 1);
    fclose(children);
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

static void spare_container_needs_no_image(void) {
    static char *hidden = "/secret";
    message(PrepareSnapshotRequest) request = {.has_spare = true, .spare = {
        .namespaces = NAMESPACES, .mounts = mounts, .mounts_count = PLAIN_MOUNTS, .masked_paths = &hidden, .masked_paths_count = 1}};
    CHECK(CALL("PrepareSnapshot", PrepareSnapshotRequest, PrepareSnapshotResponse, &request, NULL) == STATUS_INVALID_ARGUMENT);
    request.spare = (message(CreateContainerRequest)){.namespaces = NAMESPACES, .mounts = mounts, .mounts_count = COUNT(mounts)};
    CHECK(CALL("PrepareSnapshot", PrepareSnapshotRequest, PrepareSnapshotResponse, &request, NULL) == STATUS_INVALID_ARGUMENT);
}

// ---- the stage

static void copy_probe(const char *from, const char *to) {
    char buffer[65536];
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT, 0755);
    CHECK(in >= 0 && out >= 0);
    for (ssize_t count; (count = read(in, buffer, sizeof buffer)) > 0;) CHECK(write(out, buffer, (size_t)count) == count);
    close(in);
    close(out);
}

static void make_stage(void) {
    static const char *const folders[] = {"/run", "/run/layers", "/run/layers/1", "/run/layers/1/bin", "/run/layers/1/full",
                                          "/run/layers/1/full/of", "/run/layers/1/etc"};
    char path[256];
    snprintf(root, sizeof root, "/tmp/agent-test-XXXXXX");
    CHECK(mkdtemp(root));
    for (size_t i = 0; i < COUNT(folders); i++) {
        snprintf(path, sizeof path, "%s%s", root, folders[i]);
        CHECK(mkdir(path, 0755) == 0);
    }
    snprintf(path, sizeof path, "%s/run/layers/1/bin/probe", root);
    copy_probe(getenv("PROBE"), path);
    snprintf(path, sizeof path, "%s/run/layers/1/escape", root);
    CHECK(symlink("../../../../etc", path) == 0);
    snprintf(path, sizeof path, "%s/run/layers/1/full/of/files", root);
    CHECK(mknod(path, S_IFREG | 0600, 0) == 0 && chown(path, 7, 7) == 0);
    snprintf(path, sizeof path, "%s/run/layers/1/secret", root);
    FILE *secret = fopen(path, "w");
    CHECK(secret && fputs("secret", secret) > 0 && fclose(secret) == 0);
}

static void start_agent(void) {
    char number[16];
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%.90s/agent", root);
    CHECK(listener >= 0 && bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 4) == 0);
    snprintf(number, sizeof number, "%d", listener);
    agent = fork();
    if (agent == 0) {
        CHECK(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
        execl(getenv("AGENT"), "agent", "--channel-fd", number, "--test-root", root, NULL);
        _exit(127);
    }
    close(listener);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk) {
    (void)status, (void)type, (void)walk;
    return remove(path);
}

static void leave_stage(void) {
    if (agent > 0) kill(agent, SIGKILL);
    nftw(root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void agent_ends_when_told(void) {
    message(ShutdownRequest) request = {.grace_milliseconds = 100};
    message(ShutdownResponse) response = {0};
    int status;
    CHECK(create("left", process_of("sleep", NULL), false) == 0 && start("left") == 0);
    CHECK(CALL("Shutdown", ShutdownRequest, ShutdownResponse, &request, &response) == 0);
    CHECK(waitpid(agent, &status, 0) == agent && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    agent = 0;
}

int main(void) {
    if (geteuid() != 0) {
        puts("blackbox: skipped, making namespaces needs root");
        return 0;
    }
    make_stage();
    atexit(leave_stage);
    start_agent();
    begin_session();
    container_is_what_was_asked_for();
    terminal_is_the_process_s_own();
    command_that_is_missing_is_an_answer();
    orphan_does_not_hold_the_end_back();
    exec_and_input();
    files_stay_inside();
    output_survives_hosts();
    nothing_is_left_behind();
    vectors_visit(refuse_vector);
    spare_container_needs_no_image();
    snapshot_gives_the_next_nonce();
    spare_container_is_used_once();
    agent_ends_when_told();
    puts("blackbox: ok");
    return 0;
}
