// The agent as a host sees it: started under a folder of the test's own, driven over a socket.

#include "containers.h"
#include "host.h"
#include "stage.h"
#include "tests.h"

#include <string.h>
#include <sys/wait.h>

static void nothing_is_left_behind(void) {
    char line[1024];
    snprintf(line, sizeof line, "/proc/%d/mountinfo", stage_agent);
    FILE *table = fopen(line, "r");
    CHECK(table);
    while (fgets(line, sizeof line, table)) CHECK(!strstr(line, stage_root));
    fclose(table);
}

static void agent_ends_when_told(void) {
    message(ShutdownRequest) request = {.grace_milliseconds = 100};
    message(ShutdownResponse) response = {0};
    int status;
    CHECK(create("left", process_of("sleep", NULL), false) == 0 && start("left") == 0);
    CHECK(CALL("Shutdown", ShutdownRequest, ShutdownResponse, &request, &response) == 0);
    CHECK(waitpid(stage_agent, &status, 0) == stage_agent && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    stage_agent = 0;
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
    test_containers();
    test_share();
    test_processes();
    test_hosts();
    test_network();
    nothing_is_left_behind();
    test_spare();
    agent_ends_when_told();
    puts("blackbox: ok");
    return 0;
}
