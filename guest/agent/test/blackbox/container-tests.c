// Containers and their processes.

#include "containers.h"
#include "host.h"
#include "tests.h"

#include <signal.h>
#include <string.h>

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

void test_containers(void) {
    container_is_what_was_asked_for();
    terminal_is_the_process_s_own();
    command_that_is_missing_is_an_answer();
    orphan_does_not_hold_the_end_back();
    exec_and_input();
    files_stay_inside();
}
