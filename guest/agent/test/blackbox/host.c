#include "host.h"

#include "stage.h"

#include <pb_decode.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

enum { TIMEOUT_MS = 20 * 1000, SILENCE_MS = 300 };

static int host = -1;
static uint32_t next_stream;

static void receive_exactly(uint8_t *out, size_t size) {
    for (size_t done = 0; done < size;) {
        struct pollfd state = {.fd = host, .events = POLLIN};
        CHECK(poll(&state, 1, TIMEOUT_MS) == 1);
        ssize_t count = read(host, out + done, size - done);
        CHECK(count > 0);
        done += (size_t)count;
    }
}

void send_exactly(const void *data, size_t size) {
    CHECK(send(host, data, size, MSG_NOSIGNAL) == (ssize_t)size);
}

void read_offer(uint8_t nonce[NONCE_SIZE]) {
    uint8_t offer[MARKER_SIZE], expected[MARKER_SIZE];
    receive_exactly(offer, sizeof offer);
    memcpy(nonce, offer + 20, NONCE_SIZE);
    marker_write_offer(expected, nonce);
    CHECK(memcmp(offer, expected, sizeof offer) == 0);
}

void accept_offer(const uint8_t nonce[NONCE_SIZE]) {
    uint8_t accept[MARKER_SIZE];
    marker_write_accept(accept, nonce);
    send_exactly(accept, sizeof accept);
    next_stream = 1;
}

void dial(void) {
    if (host >= 0) close(host);
    host = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(host >= 0 && connect(host, (const struct sockaddr *)&stage_address, sizeof stage_address) == 0);
}

void begin_session(void) {
    uint8_t nonce[NONCE_SIZE];
    dial();
    read_offer(nonce);
    accept_offer(nonce);
}

uint32_t send_request(const char *method, const pb_msgdesc_t *fields, const void *request) {
    uint8_t *bytes;
    uint32_t stream = next_stream;
    size_t size = encode_request(&bytes, stream, method, fields, request);
    send_exactly(bytes, size);
    free(bytes);
    next_stream += 2;
    return stream;
}

struct answer receive_frame(void) {
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

uint32_t receive_response(uint32_t stream, const pb_msgdesc_t *fields, void *response) {
    struct answer answer = receive_frame();
    struct span payload;
    CHECK(answer.frame.type == FRAME_RESPONSE && answer.frame.stream == (stream & 0xff));
    uint32_t code = decode_response(answer.frame.payload, &payload);
    pb_istream_t input = pb_istream_from_buffer(payload.data, payload.size);
    if (code == 0 && fields) CHECK(pb_decode(&input, fields, response));
    free(answer.payload);
    return code;
}

bool host_is_silent(void) {
    struct pollfd state = {.fd = host, .events = POLLIN};
    return poll(&state, 1, SILENCE_MS) == 0;
}

void peek_exactly(uint8_t *out, size_t size) {
    struct pollfd state = {.fd = host, .events = POLLIN};
    CHECK(poll(&state, 1, TIMEOUT_MS) == 1);
    CHECK(recv(host, out, size, MSG_PEEK | MSG_WAITALL) == (ssize_t)size);
}

void continue_with_stream(uint32_t stream) {
    next_stream = stream;
}
