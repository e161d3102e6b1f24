#include "process/stdio-calls.h"

#include "protocol/channel.h"
#include "protocol/session.h"

#include <pb_decode.h>
#include <pb_encode.h>
#include <string.h>

enum { ACKNOWLEDGE_EVERY = 64 * 1024 };

static int resume_output(struct output_stream *out, uint64_t offset, struct failure *why) {
    if (offset < out->acknowledged || offset > output_end(out)) {
        return fail(why, STATUS_INVALID_ARGUMENT, "output cannot go on at %llu: it is kept from %llu to %llu",
                    (unsigned long long)offset, (unsigned long long)out->acknowledged, (unsigned long long)output_end(out));
    }
    return 0;
}

int stdio_calls_begin(struct call *call, struct process *process, uint64_t stdout_offset, uint64_t stderr_offset) {
    struct stdio_streams *stdio = &process->stdio;
    const uint64_t offsets[] = {stdout_offset, stderr_offset};
    if (stdio->stream) return fail(&call->failure, STATUS_FAILED_PRECONDITION, "its standard streams are attached already");
    for (size_t i = 0; i < COUNT(offsets); i++) {
        int error = resume_output(&stdio->out[i], offsets[i], &call->failure);
        if (error) return error;
    }
    for (size_t i = 0; i < COUNT(offsets); i++) {
        stdio->out[i].sent = offsets[i];
        stdio->out[i].end_sent = false;
        output_acknowledge(&stdio->out[i], offsets[i]);
    }
    stdio->in.told = stdio->in.delivered;
    stdio->in.closed_told = false;
    stdio->stream = call->stream;
    call->answered_later = true;
    return 0;
}

static struct process *find_by_stream(uint32_t stream) {
    for (struct container *container = containers; container; container = container->next) {
        for (struct process *process = container->processes; process; process = process->next) {
            if (process->stdio.stream == stream) return process;
        }
    }
    return NULL;
}

static int apply_input(struct stdio_streams *stdio, const message(StdioInput) *input) {
    int error = 0;
    if (input->data.size > STDIO_LIMIT_BYTES) return -EPROTO;
    if (input->has_stdout_acknowledged) error = output_acknowledge(&stdio->out[0], input->stdout_acknowledged);
    if (!error && input->has_stderr_acknowledged) error = output_acknowledge(&stdio->out[1], input->stderr_acknowledged);
    if (!error && (input->data.size > 0 || input->eof)) {
        error = input_receive(&stdio->in, input->offset, input->data.data, input->data.size, input->eof);
    }
    return error;
}

int stdio_calls_receive(const struct frame *frame) {
    struct process *process = find_by_stream(frame->stream);
    if (!process || (frame->flags & FLAG_NO_DATA)) return 0;
    message(StdioInput) input = {0};
    pb_istream_t stream = pb_istream_from_buffer(frame->payload.data, frame->payload.size);
    if (!pb_decode(&stream, message_fields(StdioInput), &input)) return -EPROTO;
    return apply_input(&process->stdio, &input);
}

// One StdioOutput frame, encoded straight from the ring into the channel's queue. A negative stream or absent
// acknowledgement is the caller's to leave out: what is zero is not written.
static bool send_frame(uint32_t stream, const message(StdioOutput) *output) {
    size_t size = 0;
    if (!pb_get_encoded_size(&size, message_fields(StdioOutput), output)) return false;
    uint8_t *place = session_send(stream, FRAME_DATA, 0, size);
    if (!place) return false;
    pb_ostream_t encoder = pb_ostream_from_buffer(place, size);
    return pb_encode(&encoder, message_fields(StdioOutput), output);
}

static bool pump_output(struct stdio_streams *stdio, size_t index) {
    struct output_stream *out = &stdio->out[index];
    message(StdioOutput) output = {.stream = index == 0 ? STDOUT_STREAM : STDERR_STREAM, .offset = out->sent};
    output.data.size = ring_peek(&out->ring, (size_t)(out->sent - out->acknowledged), &output.data.data);
    if (output.data.size > STDIO_LIMIT_BYTES) output.data.size = STDIO_LIMIT_BYTES;
    output.eof = output_ended(out) && out->sent + output.data.size == output_end(out);
    if (output.data.size == 0 && (!output.eof || out->end_sent)) return false;
    if (!send_frame(stdio->stream, &output)) return false;
    out->sent += output.data.size;
    out->end_sent = output.eof;
    return true;
}

// Acknowledges stdin in steps, and at once when all of it has been handed over.
static bool pump_input(struct stdio_streams *stdio) {
    struct input_stream *in = &stdio->in;
    uint64_t untold = in->delivered - in->told;
    bool acknowledge = untold >= ACKNOWLEDGE_EVERY || (untold > 0 && in->ring.length == 0);
    bool closed = in->watch.fd < 0 && !in->closed_told;
    if (!acknowledge && !closed) return false;
    message(StdioOutput) output = {
        .has_stdin_acknowledged = acknowledge, .stdin_acknowledged = in->delivered, .stdin_closed = in->watch.fd < 0};
    if (!send_frame(stdio->stream, &output)) return false;
    if (acknowledge) in->told = in->delivered;
    in->closed_told = in->watch.fd < 0;
    return true;
}

static void answer_if_ended(struct process *process) {
    struct stdio_streams *stdio = &process->stdio;
    if (!process->exited || !stdio->out[0].end_sent || !stdio->out[1].end_sent) return;
    message(StdioResponse) response = {.has_exit = true, .exit = process_exit_status(process)};
    call_answer(stdio->stream, message_fields(StdioResponse), &response);
    stdio->stream = 0;
}

// One frame of each kind for a process, so that none has to wait for the flood of another.
static bool pump_process(struct process *process) {
    struct stdio_streams *stdio = &process->stdio;
    if (!stdio->stream) return false;
    bool sent = pump_input(stdio);
    for (size_t i = 0; i < COUNT(stdio->out); i++) {
        if (channel_has_room()) sent = pump_output(stdio, i) || sent;
    }
    answer_if_ended(process);
    return sent;
}

void stdio_calls_pump(void) {
    bool sent = session_is_open();
    while (sent && channel_has_room()) {
        sent = false;
        for (struct container *container = containers; container; container = container->next) {
            for (struct process *process = container->processes; process; process = process->next) {
                sent = pump_process(process) || sent;
            }
        }
        if (sent) channel_flush();
    }
}

void stdio_calls_abort(struct process *process) {
    struct failure gone;
    if (!process->stdio.stream) return;
    fail(&gone, STATUS_NOT_FOUND, "the process was deleted");
    call_answer_failure(process->stdio.stream, &gone);
    process->stdio.stream = 0;
}

void stdio_calls_forget(void) {
    for (struct container *container = containers; container; container = container->next) {
        for (struct process *process = container->processes; process; process = process->next) process->stdio.stream = 0;
    }
}
