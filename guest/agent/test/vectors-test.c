// The golden vectors: what the agent reads it must read so, what it writes it must write so, what is refused is refused.

#include "protocol/marker.h"
#include "service/methods.h"
#include "support.h"

#include <pb_decode.h>
#include <pb_encode.h>
#include <string.h>

struct known {
    const char *name;
    const pb_msgdesc_t *fields;
    size_t size;
};

#define KNOWN(Name) {#Name, message_fields(Name), sizeof(message(Name))}
static const struct known known_messages[] = {
    KNOWN(PersonalizeRequest), KNOWN(PersonalizeResponse), KNOWN(PrepareSnapshotResponse), KNOWN(PingRequest), KNOWN(PingResponse),
    KNOWN(CreateContainerRequest), KNOWN(StartResponse), KNOWN(StdioRequest), KNOWN(StdioInput), KNOWN(StdioOutput), KNOWN(StdioResponse),
    KNOWN(ListContainersResponse), KNOWN(StartContainerRequest),
};

static void check_marker(const struct vector *vector, bool offer) {
    uint8_t expected[MARKER_SIZE];
    CHECK(vector->size == MARKER_SIZE);
    void (*write_marker)(uint8_t *, const uint8_t *) = offer ? marker_write_offer : marker_write_accept;
    write_marker(expected, vector->bytes + 20);
    bool same = memcmp(expected, vector->bytes, MARKER_SIZE) == 0;
    CHECK(same == (strcmp(vector_value(vector, "verdict"), "valid") == 0));
}

static void check_shared_container(const message(CreateContainerRequest) *create, const struct vector *vector) {
    const message(Scheduler) *scheduler = &create->process.scheduler;
    CHECK(strcmp(create->rootfs.folder, vector_value(vector, ".rootfs.folder")) == 0 && create->rootfs.layers_count == 0);
    CHECK(create->process.has_scheduler && scheduler->nice == -5 && scheduler->period_nanoseconds == 25000);
    CHECK(create->process.cpus_count == 2 && create->process.cpus[1] == 3 && create->process.find_home);
    CHECK(create->process.has_personality && create->process.personality == 0);
    CHECK(create->mounts[0].recursive_clear == vector_number(vector, ".mounts[0].recursive_clear"));
    CHECK(create->joins_count == 2 && create->joins[1].namespace == vector_number(vector, ".joins[1].namespace"));
    CHECK(create->start_hooks_count == 2 && create->start_hooks[0].input.size == 2 && create->start_hooks[0].timeout_milliseconds == 2000);
}

static void check_fields(const struct vector *vector, const char *name, const void *message) {
    if (strcmp(name, "CreateContainerRequest") == 0 && vector_value(vector, ".rootfs.folder")) {
        check_shared_container(message, vector);
    } else if (strcmp(name, "CreateContainerRequest") == 0) {
        const message(CreateContainerRequest) *create = message;
        CHECK(strcmp(create->id, vector_value(vector, ".id")) == 0);
        CHECK(create->rootfs.layers_count == 2 && create->rootfs.layers[0].lun == vector_number(vector, ".rootfs.layers[0].lun"));
        CHECK(strcmp(create->process.args[2], vector_value(vector, ".process.args[2]")) == 0);
        CHECK(create->process.has_umask && create->process.umask == 0);
        CHECK(create->process.oom_score_adjust == -999);
        CHECK(create->process.rlimits[0].hard == vector_number(vector, ".process.rlimits[0].hard"));
        CHECK(create->process.capabilities.ambient == vector_number(vector, ".process.capabilities.ambient"));
        CHECK(create->process.seccomp_filter.size == 8 && create->mounts[1].copy_up);
        CHECK(create->files[0].content.size == 4 && memcmp(create->files[0].content.data, "web\n", 4) == 0);
    } else if (strcmp(name, "StdioInput") == 0 && vector_value(vector, ".eof")) {
        const message(StdioInput) *input = message;
        CHECK(input->eof && input->offset == 3 && input->has_stderr_acknowledged && input->stderr_acknowledged == 0);
        CHECK(input->data.size == 3 && memcmp(input->data.data, "hi\n", 3) == 0);
    } else if (strcmp(name, "PersonalizeRequest") == 0 && vector_value(vector, ".hostname")) {
        const message(PersonalizeRequest) *personal = message;
        CHECK(personal->entropy.size == 32 && personal->interfaces[0].mac.data[5] == 0xee);
        CHECK(personal->realtime_nanoseconds == vector_number(vector, ".realtime_nanoseconds"));
    }
}

// Decoding and encoding again must give the same bytes.
static void check_message(const struct vector *vector, const char *name, struct span payload) {
    const struct known *known = known_messages;
    while (known < known_messages + COUNT(known_messages) && strcmp(known->name, name) != 0) known++;
    CHECK(known < known_messages + COUNT(known_messages));
    void *message = calloc(1, known->size);
    uint8_t *again = malloc(payload.size + 1);
    CHECK(message && again);
    pb_istream_t input = pb_istream_from_buffer(payload.data, payload.size);
    CHECK(pb_decode(&input, known->fields, message));
    check_fields(vector, name, message);
    pb_ostream_t output = pb_ostream_from_buffer(again, payload.size);
    CHECK(pb_encode(&output, known->fields, message) && output.bytes_written == payload.size);
    CHECK(payload.size == 0 || memcmp(again, payload.data, payload.size) == 0);
    pb_release(known->fields, message);
    free(message);
    free(again);
}

static bool find_bytes(const struct vector *vector, const char *text) {
    return memmem(vector->bytes, vector->size, text, strlen(text)) != NULL;
}

// The payload stands last in an envelope whose other parts are known by their lengths.
static struct span request_payload(const struct vector *vector, struct span frame) {
    const char *service = vector_value(vector, "service"), *method = vector_value(vector, "method");
    CHECK(find_bytes(vector, service) && find_bytes(vector, method));
    pb_istream_t input = pb_istream_from_buffer(frame.data, frame.size), value;
    struct span payload = {0};
    pb_wire_type_t type;
    uint32_t tag;
    bool end;
    while (pb_decode_tag(&input, &type, &tag, &end)) {
        CHECK(pb_make_string_substream(&input, &value));
        if (tag == 3) payload = (struct span){value.state, value.bytes_left};
        CHECK(pb_close_string_substream(&input, &value));
    }
    return payload;
}

static void check_valid(const struct vector *vector, const struct frame *frame) {
    const char *name = vector_value(vector, "message");
    struct span payload = frame->payload;
    if (frame->type == FRAME_REQUEST) payload = request_payload(vector, payload);
    if (frame->type == FRAME_RESPONSE) {
        uint32_t code = decode_response(frame->payload, &payload);
        CHECK(code == (name ? 0 : vector_number(vector, "status.code")));
    }
    if (name) check_message(vector, name, payload);
}

// Frames of the agent's own are taken apart by hand: its reader is for those of a host only.
static struct frame take_apart(const struct vector *vector) {
    uint8_t header[FRAME_HEADER_SIZE];
    struct frame frame = {
        .stream = (uint32_t)vector_number(vector, "stream"),
        .type = (uint8_t)vector_number(vector, "type"),
        .flags = (uint8_t)vector_number(vector, "flags"),
        .payload = {vector->bytes + FRAME_HEADER_SIZE, vector->size - FRAME_HEADER_SIZE},
    };
    uint32_t length = (uint32_t)vector_number(vector, "length");
    frame_write_header(header, length, frame.stream, (enum frame_type)frame.type, frame.flags);
    CHECK(vector->size >= sizeof header && memcmp(header, vector->bytes, sizeof header) == 0);
    return frame;
}

// The answer that a frame of a host gets in a session that is open already is checked by the black-box test; here only
// what the reader itself must refuse.
static void check_host_frame(const struct vector *vector) {
    struct frame_reader reader = {0};
    size_t done = 0, used;
    bool complete = false;
    int error = 0;
    while (!error && !complete && done < vector->size) {
        error = frame_reader_feed(&reader, vector->bytes + done, 1, &used, &complete);
        done += used;
    }
    if (strcmp(vector_value(vector, "verdict"), "valid") == 0) {
        CHECK(complete && error == 0 && reader.frame.stream == vector_number(vector, "stream"));
        CHECK(reader.frame.type == vector_number(vector, "type") && reader.frame.flags == vector_number(vector, "flags"));
        check_valid(vector, &reader.frame);
    } else {
        CHECK(complete || error == -EPROTO);
    }
    frame_reader_reset(&reader);
}

static void check_vector(const struct vector *vector) {
    const char *kind = vector_value(vector, "kind");
    bool from_host = strcmp(vector_value(vector, "from"), "host") == 0;
    check_context = vector->name;
    if (strcmp(kind, "frame") != 0) {
        check_marker(vector, strcmp(kind, "offer") == 0);
        return;
    }
    struct frame frame = take_apart(vector);
    if (from_host) check_host_frame(vector);
    else if (strcmp(vector_value(vector, "verdict"), "valid") == 0) check_valid(vector, &frame);
}

int main(void) {
    size_t count = vectors_visit(check_vector);
    CHECK(count > 30);
    printf("vectors: %zu ok\n", count);
    return 0;
}
