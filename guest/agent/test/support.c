#include "support.h"

#include <ctype.h>
#include <dirent.h>
#include <pb_decode.h>
#include <pb_encode.h>
#include <string.h>

const char *check_context = "";

static int hex_digit(int c) {
    return isdigit(c) ? c - '0' : tolower(c) - 'a' + 10;
}

// One line of digits, "*N" behind it for that many times.
static void add_line(struct vector *vector, const char *line) {
    const char *star = strchr(line, '*');
    size_t digits = strspn(line, "0123456789abcdefABCDEF"), times = star ? strtoul(star + 1, NULL, 10) : 1;
    CHECK(digits % 2 == 0);
    vector->bytes = realloc(vector->bytes, vector->size + digits / 2 * times + 1);
    CHECK(vector->bytes);
    for (; times > 0; times--) {
        for (size_t i = 0; i < digits; i += 2) {
            vector->bytes[vector->size++] = (uint8_t)(hex_digit(line[i]) << 4 | hex_digit(line[i + 1]));
        }
    }
}

static void read_vector(const char *path, struct vector *vector) {
    char line[1024];
    bool hex = false;
    FILE *file = fopen(path, "r");
    CHECK(file);
    while (fgets(line, sizeof line, file)) {
        if (line[0] == '#' || line[0] == '\n') continue;
        if (hex) add_line(vector, line);
        else if (strcmp(line, "hex:\n") == 0) hex = true;
        else CHECK(strlen(vector->text) + strlen(line) < sizeof vector->text && strcat(vector->text, line));
    }
    fclose(file);
    CHECK(hex);
}

size_t vectors_visit(void (*visit)(const struct vector *vector)) {
    const char *folder = getenv("VECTORS");
    size_t count = 0;
    CHECK(folder);
    DIR *directory = opendir(folder);
    CHECK(directory);
    for (struct dirent *entry; (entry = readdir(directory));) {
        char path[1024];
        const char *suffix = strrchr(entry->d_name, '.');
        if (!suffix || strcmp(suffix, ".txt") != 0) continue;
        struct vector *vector = calloc(1, sizeof *vector);
        CHECK(vector);
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        snprintf(vector->name, sizeof vector->name, "%.100s", entry->d_name);
        read_vector(path, vector);
        visit(vector);
        free(vector->bytes);
        free(vector);
        count++;
    }
    closedir(directory);
    return count;
}

const char *vector_value(const struct vector *vector, const char *key) {
    static char values[4][1024];
    static unsigned turn;
    size_t length = strlen(key);
    for (const char *line = vector->text; *line; line = strchr(line, '\n') + 1) {
        if (strncmp(line, key, length) != 0 || line[length] != '=') continue;
        char *value = values[turn++ % 4];
        snprintf(value, sizeof values[0], "%.*s", (int)strcspn(line + length + 1, "\n"), line + length + 1);
        return value;
    }
    return NULL;
}

uint64_t vector_number(const struct vector *vector, const char *key) {
    const char *value = vector_value(vector, key);
    CHECK(value);
    return strtoull(value, NULL, 10);
}

static void encode_envelope(pb_ostream_t *output, const char *method, const uint8_t *payload, size_t size) {
    static const char service[] = "wardian.agent.v1.Agent";
    pb_encode_tag(output, PB_WT_STRING, 1);
    pb_encode_string(output, (const pb_byte_t *)service, strlen(service));
    pb_encode_tag(output, PB_WT_STRING, 2);
    pb_encode_string(output, (const pb_byte_t *)method, strlen(method));
    if (size == 0) return;
    pb_encode_tag(output, PB_WT_STRING, 3);
    pb_encode_string(output, payload, size);
}

size_t encode_request(uint8_t **out, uint32_t stream, const char *method, const pb_msgdesc_t *fields, const void *request) {
    size_t size = 0;
    CHECK(pb_get_encoded_size(&size, fields, request));
    uint8_t *payload = malloc(size + 1);
    CHECK(payload);
    pb_ostream_t inner = pb_ostream_from_buffer(payload, size);
    CHECK(pb_encode(&inner, fields, request));
    pb_ostream_t measure = PB_OSTREAM_SIZING;
    encode_envelope(&measure, method, payload, size);
    *out = malloc(FRAME_HEADER_SIZE + measure.bytes_written);
    CHECK(*out);
    uint8_t flags = strcmp(method, "Stdio") == 0 ? FLAG_REMOTE_OPEN : 0;
    frame_write_header(*out, (uint32_t)measure.bytes_written, stream, FRAME_REQUEST, flags);
    pb_ostream_t outer = pb_ostream_from_buffer(*out + FRAME_HEADER_SIZE, measure.bytes_written);
    encode_envelope(&outer, method, payload, size);
    free(payload);
    return FRAME_HEADER_SIZE + measure.bytes_written;
}

static uint32_t decode_status(pb_istream_t *status) {
    pb_wire_type_t type;
    uint32_t tag, code = 0;
    bool end;
    while (pb_decode_tag(status, &type, &tag, &end)) {
        if (tag == 1) CHECK(pb_decode_varint32(status, &code));
        else CHECK(pb_skip_field(status, type));
    }
    return code;
}

uint32_t decode_response(struct span envelope, struct span *payload) {
    pb_istream_t input = pb_istream_from_buffer(envelope.data, envelope.size);
    pb_wire_type_t type;
    uint32_t tag, code = 0;
    bool end = false;
    *payload = (struct span){0};
    while (pb_decode_tag(&input, &type, &tag, &end)) {
        pb_istream_t value;
        CHECK(pb_make_string_substream(&input, &value));
        if (tag == 1) code = decode_status(&value);
        else *payload = (struct span){value.state, value.bytes_left};
        CHECK(pb_close_string_substream(&input, &value));
    }
    CHECK(end);
    return code;
}
