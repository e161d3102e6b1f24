#include "service/shutdown.h"

#include "base/loop.h"
#include "base/settings.h"
#include "container/end.h"
#include "process/stdio-calls.h"
#include "protocol/channel.h"

#include <signal.h>
#include <sys/mount.h>
#include <sys/reboot.h>

enum {
    GRACE_LIMIT_MS = 10 * 60 * 1000,
    KILL_GRACE_MS = 5 * 1000, // how long what was killed may take to go
    LAST_WORDS_MS = 1000,     // how long the host may take to read the answer
};

static enum { NOT_BEGUN, ASKED, KILLED } state;
static int64_t deadline;
static uint32_t answer_stream;

static void ask_all(void) {
    struct failure ignored;
    for (struct container *container = containers; container; container = container->next) {
        struct process *first = container->processes;
        if (first && first->started) container_signal(first, SIGTERM, true, &ignored);
        else container_kill(container); // waits for a start that will not come
    }
}

static void kill_all(void) {
    for (struct container *container = containers; container; container = container->next) container_kill(container);
}

void shutdown_begin(struct call *call, uint32_t grace_milliseconds) {
    call->answered_later = true;
    answer_stream = call->stream;
    if (state != NOT_BEGUN) return;
    state = ASKED;
    deadline = loop_now_ms() + (grace_milliseconds < GRACE_LIMIT_MS ? grace_milliseconds : GRACE_LIMIT_MS);
    ask_all();
}

void shutdown_forget_call(void) {
    answer_stream = 0;
}

// Restart rather than power-off: a machine without ACPI would only halt, and the VMM takes a restart for the end.
_Noreturn static void power_off(void) {
    message(ShutdownResponse) response = {0};
    stdio_calls_pump();
    if (answer_stream) call_answer(answer_stream, message_fields(ShutdownResponse), &response);
    channel_flush_for(LAST_WORDS_MS);
    if (settings.is_test) exit(0);
    sync();
    reboot(RB_AUTOBOOT);
    for (;;) pause();
}

int shutdown_step(void) {
    if (state == NOT_BEGUN) return -1;
    if (!container_any_running()) power_off();
    int64_t left = deadline - loop_now_ms();
    if (left > 0) return (int)left;
    if (state == KILLED) power_off();
    state = KILLED;
    deadline = loop_now_ms() + KILL_GRACE_MS;
    kill_all();
    return KILL_GRACE_MS;
}
