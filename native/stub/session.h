// A process's standard streams, and the connection to the sandboxer over which they travel: ttrpc's frames as
// docs/protocol.md and src/sandboxer/api.ts have them. Nothing here is allocated: what a stream may hold is its window.
#pragma once

#include "stub.h"

#include <sys/uio.h>

enum {
  WINDOW_BYTES = 256 * 1024,  // STREAM_WINDOW_BYTES
  ACKNOWLEDGE_BYTES = 64 * 1024,
  MAX_STDIN_FRAME_BYTES = 16 * 1024,
  MAX_FRAME_BYTES = 4 * 1024 * 1024,
  MAX_RESPONSE_BYTES = 8 * 1024,
  FRAME_HEADER_BYTES = 10,
  STREAM_HEADER_BYTES = 9,
  MAX_SIGNALS = 64,
};

enum frame_type { FRAME_REQUEST = 1, FRAME_RESPONSE = 2, FRAME_DATA = 3 };
enum { FLAG_REMOTE_OPEN = 2 };

// STREAM_KIND
enum stream_kind {
  KIND_STDIN,
  KIND_STDOUT,
  KIND_STDERR,
  KIND_STDIN_EOF,
  KIND_STDIN_ACKNOWLEDGED,
  KIND_STDOUT_ACKNOWLEDGED,
  KIND_STDERR_ACKNOWLEDGED,
};

// Bytes in the order in which they came.
struct ring {
  _Alignas(4096) unsigned char bytes[WINDOW_BYTES];  // whole pages can be given back
  size_t begin;
  size_t fill;
  bool touched;  // beyond what a quiet stream needs
};

// ring.c
size_t ring_push(struct ring *ring, const unsigned char *bytes, size_t size);
// The first run of bytes from `skip` on, which ends where the ring does.
struct iovec ring_peek(struct ring *ring, size_t skip);
// Room for more, as far as it is in one piece.
struct iovec ring_room(struct ring *ring);
void ring_add(struct ring *ring, size_t size);
void ring_drop(struct ring *ring, size_t size);
// Gives the memory of an empty ring back.
void ring_release(struct ring *ring);

// stdout or stderr on its way here; the ring holds what is received and not yet written.
struct output {
  struct ring ring;
  int fd;
  enum stream_kind acknowledgement;
  bool known;  // where it begins
  bool broken;  // nobody reads it any more
  uint64_t received;
  uint64_t written;
  uint64_t acknowledged;
};

// output.c
// Takes what is new of bytes at `offset`; *taken of `size` are dealt with. -EPROTO: some are missing before them.
int output_receive(struct output *output, uint64_t offset, const unsigned char *bytes, size_t size, size_t *taken);
bool output_wants_write(const struct output *output);
void output_write(struct output *output);
// Forgets what is not written: the next connection brings it again.
void output_rewind(struct output *output);

// stdin; the ring holds what the process has not been given for certain.
struct input {
  struct ring ring;
  bool ended;
  bool end_sent;
  bool closed;  // the process reads no more
  uint64_t acknowledged;
  uint64_t sent;
};

// input.c
bool input_wants_read(const struct input *input);
void input_read(struct input *input);
void input_end(struct input *input);
void input_acknowledge(struct input *input, uint64_t offset);
// Everything that was not acknowledged is to be sent again.
void input_rewind(struct input *input);

// Frames on their way to the socket.
struct sender {
  unsigned char bytes[32 * 1024];
  size_t begin;
  size_t end;
};

// sender.c
bool sender_has_room(struct sender *sender, size_t payload_bytes);
// Starts a frame, which the caller fills: its payload. Room must have been asked for.
unsigned char *sender_add(struct sender *sender, uint32_t stream, uint8_t type, uint8_t flags, size_t payload_bytes);
unsigned char *sender_add_data(struct sender *sender, uint32_t stream, enum stream_kind kind, uint64_t offset, size_t size);
// False when the text does not fit now.
bool sender_add_request(struct sender *sender, uint32_t stream, uint8_t flags, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
int sender_flush(struct sender *sender, int socket);

// What was read of the socket, and the frame in it that is being taken apart.
struct reader {
  unsigned char bytes[16 * 1024];
  size_t begin;
  size_t end;
  bool in_frame;
  bool in_stream;  // the header of a stream frame was read, too
  uint32_t left;   // bytes of the frame that are still to come
  uint32_t stream;
  uint8_t type;
  uint8_t kind;
  uint64_t offset;
  char response[MAX_RESPONSE_BYTES];
  size_t response_size;
};

struct session;

// reader.c
// Takes frames apart as far as they came. Returns 0, or -EPROTO for what no sandboxer of ours sends.
int reader_consume(struct session *session);

// A signal that is to be passed on; `stream` is that of the call under way, or 0.
struct signal_call {
  int signal;
  uint32_t stream;
};

struct session {
  const struct options *options;
  const struct home *home;
  int socket;  // -1: not connected
  uint32_t attach_stream;
  uint32_t next_stream;
  bool resize_due;
  bool stalled;  // an output is full: nothing more is read
  bool ended;
  bool killed;  // it ended by a signal
  int exit_code;
  struct signal_call signals[MAX_SIGNALS];
  size_t signal_count;
  int64_t connected_at_ms;
  int64_t lost_at_ms;
  int64_t next_connect_ms;
  int64_t next_start_ms;
  unsigned starts;
  struct output outputs[2];
  struct input input;
  struct sender sender;
  struct reader reader;
};

// session.c
void session_open(struct session *session, const struct options *options, const struct home *home);
// Connects when it is time, and starts a sandboxer when nobody has answered for long.
// Returns the milliseconds until the next try, or -1 when it is connected.
int session_connect(struct session *session);
void session_disconnect(struct session *session);
// Puts into the sender what is due.
void session_compose(struct session *session);
void session_signal(struct session *session, int signal);
// Takes a data frame's bytes; *taken of them are dealt with.
int session_receive(struct session *session, const unsigned char *bytes, size_t size, size_t *taken);

// response.c
// Ends without an exit code: says why, and lets go.
void session_give_up(struct session *session, const char *why);
void session_respond(struct session *session, uint32_t stream, const char *text, size_t size);

// json.c
struct text {
  const char *begin;
  const char *end;
};
// The value of an object's member; one that is cut off ends where the text does.
bool json_member(struct text object, const char *name, struct text *value);
bool json_number(struct text value, int *number);
// A string as plain text without control characters, cut to `size`.
void json_string(struct text value, char *target, size_t size);
