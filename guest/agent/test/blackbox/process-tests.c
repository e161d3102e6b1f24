// What processes are given beside their image: hooks before them, neighbours, scheduling, a home.

#include "containers.h"
#include "host.h"
#include "stage.h"
#include "tests.h"

#include <sched.h>
#include <string.h>
#include <sys/mount.h>

static char *hook_environment[] = {"MARK=seen"};

static message(Hook) hook_of(char **words, size_t count) {
    return (message(Hook)){.path = "/bin/probe", .args = words, .args_count = (pb_size_t)count, .env = hook_environment, .env_count = 1,
                           .input = {(const uint8_t *)"{state}", 7}};
}

static void hooks_run_before_the_process(void) {
    static char *words[] = {"probe", "hook"};
    message(Hook) hooks[] = {hook_of(words, 2), hook_of(words, 2)};
    message(CreateContainerRequest) request = describe_shared("hooks", process_of("show", "/hooked"));
    hooks[1].timeout_milliseconds = 20000;
    request.start_hooks = hooks;
    request.start_hooks_count = 2;
    request.process.uid = 0;
    expect(&request, 0, "{state} uid=0 mark=seen\n{state} uid=0 mark=seen\n");
}

// Returns the message of a start that fails.
static char *failing_start(message(Hook) *hook) {
    message(CreateContainerRequest) request = describe_shared("hooks", process_of("exit", "0"));
    message(StartContainerRequest) start_request = {.id = "hooks"};
    request.start_hooks = hook;
    request.start_hooks_count = 1;
    CHECK(create_as(&request) == 0);
    send_request("StartContainer", message_fields(StartContainerRequest), &start_request);
    struct answer answer = receive_frame();
    struct span payload;
    CHECK(decode_response(answer.frame.payload, &payload) == STATUS_FAILED_PRECONDITION);
    char *text = calloc(1, answer.frame.payload.size + 1);
    CHECK(text);
    for (size_t i = 0; i < answer.frame.payload.size; i++) text[i] = (char)(answer.frame.payload.data[i] ? answer.frame.payload.data[i] : ' ');
    free(answer.payload);
    delete("hooks");
    check_context = text;
    return text;
}

static void hook_that_fails_ends_the_start(void) {
    static char *fails[] = {"probe", "fail", "what went\nwrong"}, *sleeps[] = {"probe", "sleep"}, *any[] = {"probe"};
    message(Hook) hook = hook_of(fails, 3);
    char *text = failing_start(&hook);
    CHECK(strstr(text, "hook /bin/probe ended with 3: what went wrong"));
    free(text);
    hook = hook_of(sleeps, 2);
    hook.timeout_milliseconds = 50;
    text = failing_start(&hook);
    CHECK(strstr(text, "hook /bin/probe took longer than 50 ms"));
    free(text);
    hook = hook_of(any, 1);
    hook.path = "/bin/nothing";
    text = failing_start(&hook);
    CHECK(strstr(text, "hook /bin/nothing ended with 127"));
    free(text);
    check_context = "";
}

static void process_is_served_as_asked(void) {
    static uint32_t first[] = {0};
    message(CreateContainerRequest) request = describe_shared("served", process_of("served", NULL));
    request.process.cpus = first;
    request.process.cpus_count = 1;
    request.process.has_scheduler = true;
    request.process.scheduler.policy = SCHED_BATCH;
    request.process.scheduler.nice = 5;
    request.process.has_io_priority = true;
    request.process.io_priority = 3 << 13; // idle
    request.process.has_personality = true;
    request.process.personality = 8; // LINUX32
    request.process.find_home = true;
    expect(&request, 0, "policy=3 nice=5 io=24576 first-cpu-only=1 personality=8 home=/root/of/it\n");
    request = describe_shared("served", process_of("served", NULL));
    request.process.find_home = true;
    request.process.uid = 4; // whose line is too short
    expect(&request, 0, NULL);
    request.process.cpus = (uint32_t[]){900};
    request.process.cpus_count = 1;
    CHECK(create_as(&request) == 0 && start("served") == EINVAL);
    delete("served");
}

static void neighbours_share_what_they_join(void) {
    static message(Join) joins[] = {{CLONE_NEWPID, "first"}, {CLONE_NEWIPC, "first"}, {CLONE_NEWUTS, "first"}};
    struct streams *streams = calloc(1, sizeof *streams);
    message(CreateContainerRequest) first = describe_shared("first", process_of("sleep", NULL));
    first.hostname = "theirs";
    message(Mount) own_shm[PLAIN_MOUNTS + 1], lent_shm[PLAIN_MOUNTS + 1];
    memcpy(own_shm, mounts, PLAIN_MOUNTS * sizeof *mounts);
    memcpy(lent_shm, mounts, PLAIN_MOUNTS * sizeof *mounts);
    own_shm[PLAIN_MOUNTS] = (message(Mount)){.destination = "/dev/shm", .type = "tmpfs", .source = "shm"};
    lent_shm[PLAIN_MOUNTS] = (message(Mount)){.destination = "/dev/shm", .source = "/run/wardian/shm", .flags = MS_BIND};
    first.mounts = own_shm;
    first.mounts_count = PLAIN_MOUNTS + 1;
    CHECK(streams && create_as(&first) == 0 && start("first") == 0);
    message(ExecRequest) exec = {.container_id = "first", .exec_id = "e", .has_process = true, .process = process_of("queue", NULL)};
    message(StartResponse) started = {0};
    CHECK(CALL("Exec", ExecRequest, StartResponse, &exec, &started) == 0 && started.exec_errno == 0);
    follow(attach("first", "e", 0), streams);
    CHECK(streams->exit.code == 0);
    message(CreateContainerRequest) second = describe_shared("second", process_of("neighbours", NULL));
    second.joins = joins;
    second.joins_count = 3;
    second.mounts = lent_shm;
    second.mounts_count = PLAIN_MOUNTS + 1;
    CHECK(create_as(&second) == STATUS_INVALID_ARGUMENT); // anew and joined
    second.namespaces = CLONE_NEWNS;
    second.hostname = "";
    expect(&second, 0, "pid=1 host=theirs queue=1 shm=1\n");
    second = describe_shared("second", process_of("neighbours", NULL));
    expect(&second, 0, "pid=0 host=glass queue=0 shm=0\n");
    second.joins = &(message(Join)){CLONE_NEWIPC, "nobody"};
    second.joins_count = 1;
    second.namespaces = CLONE_NEWNS;
    CHECK(create_as(&second) == STATUS_NOT_FOUND);
    delete("first");
    free(streams);
}

void test_processes(void) {
    hooks_run_before_the_process();
    hook_that_fails_ends_the_start();
    process_is_served_as_asked();
    neighbours_share_what_they_join();
}
