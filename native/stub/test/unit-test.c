// What the stub understands of a sandboxer, and how its buffers go round: without a process, a socket or a terminal.

#include "../session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                              \
  do {                                                                                \
    if (!(condition)) {                                                               \
      fprintf(stderr, "%s:%d: %s is not true\n", __FILE__, __LINE__, #condition);     \
      exit(1);                                                                        \
    }                                                                                 \
  } while (0)

static struct ring ring;
static struct session session;
static struct sender sender;

static struct text text_of(const char *text) { return (struct text){.begin = text, .end = text + strlen(text)}; }

static bool has_member(const char *document, const char *name, const char *expected) {
  // In a block of its own exact size, so that the sanitizer sees who reads beyond it.
  size_t size = strlen(document);
  char *copy = malloc(size + 1);
  CHECK(copy != NULL);
  memcpy(copy, document, size);
  char *exact = realloc(copy, size > 0 ? size : 1);
  struct text value = {0};
  bool found = json_member((struct text){.begin = exact, .end = exact + size}, name, &value);
  bool same = found && expected != NULL && (size_t)(value.end - value.begin) == strlen(expected) &&
              memcmp(value.begin, expected, strlen(expected)) == 0;
  free(exact);
  return expected == NULL ? !found : same;
}

static void test_members(void) {
  CHECK(has_member("{\"a\":1,\"b\":{\"a\":[2,{\"c\":3}]},\"c\":\"x\"}", "a", "1"));
  CHECK(has_member("{\"a\":1,\"b\":{\"a\":[2,{\"c\":3}]},\"c\":\"x\"}", "b", "{\"a\":[2,{\"c\":3}]}"));
  CHECK(has_member("{\"a\":1,\"b\":{\"a\":[2,{\"c\":3}]},\"c\":\"x\"}", "c", "\"x\""));
  CHECK(has_member(" { \"a\" : \"}\\\"]\" , \"b\" : 2 } ", "b", "2 "));
  CHECK(has_member("{\"a\":{\"b\":\"cut o", "a", "{\"b\":\"cut o"));
  CHECK(has_member("{\"a\":1}", "b", NULL));
  CHECK(has_member("{\"ab\":1}", "a", NULL));
  static const char *const broken[] = {"", "{", "{\"", "{\"a", "{\"a\"", "{\"a\\", "[]", "1", "{1:2}", "{\"b\":}}}}"};
  for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) CHECK(has_member(broken[i], "a", NULL));
  CHECK(has_member("{\"a\":", "a", ""));
}

static void test_values(void) {
  int number = -1;
  CHECK(json_number(text_of("137"), &number) && number == 137);
  CHECK(json_number(text_of("7 "), &number) && number == 7);
  CHECK(!json_number(text_of(""), &number) && !json_number(text_of("-1"), &number));
  CHECK(!json_number(text_of("1e5"), &number) && !json_number(text_of("1234567890"), &number));
  char text[16];
  json_string(text_of("\"a\\n\\\"b\\u0007\\\\c\""), text, sizeof text);
  CHECK(strcmp(text, "a \"b \\c") == 0);
  json_string(text_of("\"0123456789012345678\""), text, sizeof text);
  CHECK(strcmp(text, "012345678901234") == 0);
  json_string(text_of("\"cut\\"), text, sizeof text);
  CHECK(strncmp(text, "cut", 3) == 0);
  json_string(text_of("\"\\u12"), text, sizeof text);
  json_string(text_of(""), text, sizeof text);
  CHECK(text[0] == '\0');
}

static unsigned char byte_at(size_t offset) { return (unsigned char)(offset ^ offset >> 8 ^ offset >> 16); }

static void test_ring(void) {
  static unsigned char bytes[WINDOW_BYTES + 1];
  size_t in = 0;
  size_t out = 0;
  srand(1);
  for (int round = 0; round < 20000; round++) {
    size_t size = (size_t)rand() % (round % 100 == 0 ? sizeof bytes : 5000);
    for (size_t i = 0; i < size; i++) bytes[i] = byte_at(in + i);
    in += ring_push(&ring, bytes, size);
    CHECK(ring.fill == in - out && ring.fill <= WINDOW_BYTES);
    struct iovec seen = ring_peek(&ring, 0);
    size_t taken = seen.iov_len > 0 ? (size_t)rand() % (seen.iov_len + 1) : 0;
    for (size_t i = 0; i < taken; i++) CHECK(((unsigned char *)seen.iov_base)[i] == byte_at(out + i));
    ring_drop(&ring, taken);
    out += taken;
    ring_release(&ring);
  }
  CHECK(out > 10 * WINDOW_BYTES);
}

static int feed(const char *bytes, size_t size) {
  struct reader *reader = &session.reader;
  int error = 0;
  while (size > 0 && error == 0) {
    CHECK(sizeof reader->bytes > reader->end);
    reader->bytes[reader->end++] = (unsigned char)*bytes++;
    size--;
    error = reader_consume(&session);
  }
  return error;
}

static void reset(void) {
  memset(&session, 0, sizeof session);
  static const struct options options = {.container = "c", .socket = "/s"};
  static const struct home home;
  session_open(&session, &options, &home);
  session.attach_stream = 1;
}

#define FEED(text) feed(text, sizeof(text) - 1)

static void test_frames(void) {
  reset();
  CHECK(FEED("\0\0\0\x0c\0\0\0\1\3\0\1\0\0\0\0\0\0\0\0abc") == 0);
  CHECK(session.outputs[0].ring.fill == 3 && session.outputs[0].received == 3);
  CHECK(FEED("\0\0\0\x0c\0\0\0\1\3\0\1\0\0\0\0\0\0\0\1bcd") == 0);
  CHECK(session.outputs[0].ring.fill == 4 && memcmp(session.outputs[0].ring.bytes, "abcd", 4) == 0);
  CHECK(FEED("\0\0\0\x09\0\0\0\1\3\0\4\0\0\0\0\0\0\0\0") == 0);
  CHECK(FEED("\0\0\0\x2e\0\0\0\1\2\0{\"response\":{\"exitCode\":300,\"signal\":0,\"x\":1}}") == 0);
  CHECK(session.ended && session.exit_code == (300 & 0xff) && !session.killed);
}

static void test_breaches(void) {
  reset();
  CHECK(FEED("\0\x40\0\1\0\0\0\1\2\0") == -EPROTO);  // too long
  reset();
  CHECK(FEED("\0\0\0\0\0\0\0\1\1\0") == -EPROTO);  // a request
  reset();
  CHECK(FEED("\0\0\0\x08\0\0\0\1\3\0") == -EPROTO);  // too short for a stream's header
  reset();
  CHECK(FEED("\0\0\0\x0a\0\0\0\3\3\0\1\0\0\0\0\0\0\0\0a") == -EPROTO);  // of no stream
  reset();
  CHECK(FEED("\0\0\0\x0a\0\0\0\1\3\0\1\0\0\0\0\0\0\0\0a") == 0);
  CHECK(FEED("\0\0\0\x0a\0\0\0\1\3\0\1\0\0\0\0\0\0\0\2c") == -EPROTO);  // a gap
  reset();
  CHECK(FEED("\0\0\0\x0a\0\0\0\1\3\0\1\xff\0\0\0\0\0\0\0\0a") == -EPROTO);  // an offset beyond all
}

static void test_long_response(void) {
  reset();
  CHECK(FEED("\0\x0f\0\0\0\0\0\1\2\0{\"error\":{\"code\":\"INTERNAL\",\"message\":\"long") == 0);
  for (size_t i = 0; i < 0xf0000 - 43; i++) CHECK(!session.ended && feed("x", 1) == 0);
  CHECK(session.ended && session.exit_code == EXIT_UNKNOWN);
}

static void test_sender(void) {
  size_t frames = 0;
  while (sender_add_request(&sender, 1, 0, "{\"n\":%zu}", frames)) frames++;
  CHECK(frames > 1000 && sender.end <= sizeof sender.bytes && !sender_has_room(&sender, 100));
  sender.begin = sender.end;
  CHECK(sender_has_room(&sender, sizeof sender.bytes - FRAME_HEADER_BYTES) && sender.end == 0);
  unsigned char *place = sender_add_data(&sender, 0x01020304, KIND_STDIN, 0x0506070809ULL, 1);
  *place = 'x';
  static const char expected[] = "\0\0\0\x0a\1\2\3\4\3\0\0\0\0\0\5\6\7\10\11x";
  CHECK(sender.end == sizeof expected - 1 && memcmp(sender.bytes, expected, sender.end) == 0);
}

int main(void) {
  static const struct {
    const char *name;
    void (*run)(void);
  } tests[] = {
      {"members of objects are found", test_members}, {"numbers and strings are read", test_values},
      {"rings go round", test_ring},                  {"frames are taken apart", test_frames},
      {"breaches are noticed", test_breaches},        {"long responses are cut", test_long_response},
      {"frames are put together", test_sender},
  };
  for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
    tests[i].run();
    printf("ok   %s\n", tests[i].name);
  }
  return 0;
}
