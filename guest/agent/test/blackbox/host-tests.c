// Hosts that come, go, and break the rules.

#include "containers.h"
#include "host.h"
#include "tests.h"

#include <pb_decode.h>
#include <string.h>

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
        continue_with_stream(3);
    }
    message(PingRequest) ping = {0};
    message(PingResponse) pong = {0};
    CHECK(CALL("Ping", PingRequest, PingResponse, &ping, &pong) == 0 && pong.memory_total_bytes > 0);
    pb_release(message_fields(PingResponse), &pong);
    check_context = "";
}

void test_hosts(void) {
    output_survives_hosts();
    vectors_visit(refuse_vector);
}
