#include "service/rpc.h"

#include "process/stdio-calls.h"
#include "service/methods.h"

#include <pb_decode.h>
#include <string.h>

static const char SERVICE[] = "wardian.agent.v1.Agent";
static uint32_t last_stream;

struct envelope {
    struct span service, method, payload;
};

// ttrpc's Request: service 1, method 2, payload 3; the rest (a timeout, metadata) is of no concern here.
static int decode_envelope(struct span frame, struct envelope *envelope) {
    pb_istream_t input = pb_istream_from_buffer(frame.data, frame.size);
    pb_wire_type_t wire_type;
    uint32_t tag;
    bool end = false;
    struct span *fields[] = {NULL, &envelope->service, &envelope->method, &envelope->payload};
    while (pb_decode_tag(&input, &wire_type, &tag, &end)) {
        pb_istream_t value;
        if (tag >= COUNT(fields) || !fields[tag]) {
            if (!pb_skip_field(&input, wire_type)) return -EPROTO;
            continue;
        }
        if (wire_type != PB_WT_STRING || !pb_make_string_substream(&input, &value)) return -EPROTO;
        *fields[tag] = (struct span){value.state, value.bytes_left};
        if (!pb_read(&value, NULL, value.bytes_left) || !pb_close_string_substream(&input, &value)) return -EPROTO;
    }
    return end ? 0 : -EPROTO;
}

static bool span_is(struct span span, const char *text) {
    return span.size == strlen(text) && memcmp(span.data, text, span.size) == 0;
}

static const struct method *find_method(const struct envelope *envelope) {
    if (!span_is(envelope->service, SERVICE)) return NULL;
    for (const struct method *method = methods; method->name; method++) {
        if (span_is(envelope->method, method->name)) return method;
    }
    return NULL;
}

static int run(const struct method *method, struct span payload, struct call *call) {
    void *request = calloc(1, method->request_size);
    void *response = calloc(1, method->response_size);
    if (!request || !response) {
        free(request);
        free(response);
        return fail(&call->failure, STATUS_RESOURCE_EXHAUSTED, "no memory for a call");
    }
    pb_istream_t input = pb_istream_from_buffer(payload.data, payload.size);
    int error;
    if (!pb_decode(&input, method->request, request)) {
        error = fail(&call->failure, STATUS_INVALID_ARGUMENT, "%s: bad request: %s", method->name, PB_GET_ERROR(&input));
    } else {
        error = method->handle(call, request, response);
        if (error == 0 && !call->answered_later) call_answer(call->stream, method->response, response);
        pb_release(method->request, request);
    }
    pb_release(method->response, response);
    free(request);
    free(response);
    return error;
}

static int receive_request(const struct frame *frame) {
    struct envelope envelope = {0};
    if (frame->stream <= last_stream) return -EPROTO;
    last_stream = frame->stream;
    if (decode_envelope(frame->payload, &envelope)) return -EPROTO;
    struct call call = {.stream = frame->stream, .request = envelope.payload};
    const struct method *method = find_method(&envelope);
    int error = method ? run(method, envelope.payload, &call)
                       : fail(&call.failure, STATUS_UNIMPLEMENTED, "no such method");
    if (error) call_answer_failure(frame->stream, &call.failure);
    return 0;
}

int rpc_receive(const struct frame *frame) {
    if (frame->type == FRAME_REQUEST) return receive_request(frame);
    if (frame->stream > last_stream) return -EPROTO;
    return stdio_calls_receive(frame);
}

void rpc_forget_calls(void) {
    last_stream = 0;
    stdio_calls_forget();
    methods_forget_calls();
}
