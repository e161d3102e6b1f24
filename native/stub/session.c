#include "session.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
  CONNECT_DELAY_MS = 100,
  LATE_CONNECT_DELAY_MS = 1000,
  // A sandboxer that was killed is soon replaced by whoever comes next; then nobody else is coming.
  PATIENCE_MS = 2000,
  // A sandboxer that starts takes tenths of a second, on a loaded host some seconds.
  FIRST_START_DELAY_MS = 5000,
  MAX_START_DELAY_MS = 60000,
  LONELY_MS = 60000,
  // A connection that lasted so long was a good one: its loss begins a new span of patience.
  STEADY_MS = 1000,
  LAST_STREAM = INT32_MAX,
};

void session_open(struct session *session, const struct options *options, const struct home *home) {
  session->options = options;
  session->home = home;
  session->socket = -1;
  session->lost_at_ms = now_ms();
  session->outputs[0].fd = STDOUT_FILENO;
  session->outputs[0].acknowledgement = KIND_STDOUT_ACKNOWLEDGED;
  session->outputs[1].fd = STDERR_FILENO;
  session->outputs[1].acknowledgement = KIND_STDERR_ACKNOWLEDGED;
}

static uint32_t next_stream(struct session *session) {
  uint32_t stream = session->next_stream;
  session->next_stream += 2;
  return stream;
}

// The text of a member that only exec has.
static const char *exec_member(const struct options *options) { return options->exec == NULL ? "" : ",\"execId\":\""; }

static void attach(struct session *session) {
  const struct options *options = session->options;
  const struct output *outputs = session->outputs;
  char from[128] = "\"start\"";
  if (outputs[0].known || outputs[1].known || session->input.acknowledged > 0) {
    snprintf(from, sizeof from, "{\"stdout\":%llu,\"stderr\":%llu,\"stdin\":%llu}",
             (unsigned long long)outputs[0].written, (unsigned long long)outputs[1].written,
             (unsigned long long)session->input.acknowledged);
  }
  session->attach_stream = next_stream(session);
  sender_add_request(&session->sender, session->attach_stream, FLAG_REMOTE_OPEN,
                     "{\"method\":\"attach\",\"request\":{\"container\":\"%s\",\"stdin\":true,\"owner\":true,"
                     "\"from\":%s%s%s%s}}",
                     options->container, from, exec_member(options), options->exec == NULL ? "" : options->exec,
                     options->exec == NULL ? "" : "\"");
  session->resize_due = options->terminal;
}

static void start_when_due(struct session *session, int64_t now) {
  // The stub of the container itself comes first: what it starts goes with the container, as its engine expects.
  int64_t patience = session->options->exec == NULL ? PATIENCE_MS : 2 * PATIENCE_MS;
  if (now - session->lost_at_ms < patience || now < session->next_start_ms) return;
  start_sandboxer(session->options, session->home);
  int64_t delay = (int64_t)FIRST_START_DELAY_MS << (session->starts < 4 ? session->starts : 4);
  session->next_start_ms = now + (delay < MAX_START_DELAY_MS ? delay : MAX_START_DELAY_MS);
  session->starts++;
}

// No sandboxer will ever listen in a folder that was removed; and where none can be started, none may come.
static bool has_prospects(struct session *session, int64_t now) {
  struct stat status;
  bool is_removed = fstat(session->home->folder, &status) == 0 && status.st_nlink == 0;
  bool is_alone = session->options->sandboxer == NULL && now - session->lost_at_ms > LONELY_MS;
  if (is_removed) session_give_up(session, "the sandboxer's folder was removed, and its containers with it");
  else if (is_alone) session_give_up(session, "the sandboxer went away and did not come back");
  return !session->ended;
}

int session_connect(struct session *session) {
  if (session->socket >= 0) return -1;
  int64_t now = now_ms();
  if (now < session->next_connect_ms) return (int)(session->next_connect_ms - now);
  // The working folder is the socket's.
  session->socket = connect_to(strrchr(session->options->socket, '/') + 1, SOCK_NONBLOCK);
  session->next_connect_ms = now + CONNECT_DELAY_MS;
  if (session->socket < 0) {
    if (!has_prospects(session, now)) return 0;
    start_when_due(session, now);
    if (now - session->lost_at_ms > 2 * PATIENCE_MS) session->next_connect_ms = now + LATE_CONNECT_DELAY_MS;
    return (int)(session->next_connect_ms - now);
  }
  session->connected_at_ms = now;
  session->next_stream = 1;
  attach(session);
  return -1;
}

void session_disconnect(struct session *session) {
  int64_t now = now_ms();
  close_descriptor(&session->socket);
  session->sender.begin = session->sender.end = 0;
  session->reader.begin = session->reader.end = 0;
  session->reader.in_frame = false;
  session->stalled = false;
  if (session->ended) return;
  if (now - session->connected_at_ms > STEADY_MS) {
    session->lost_at_ms = now;
    session->starts = 0;
  }
  for (size_t i = 0; i < 2; i++) output_rewind(&session->outputs[i]);
  input_rewind(&session->input);
  // Nobody knows whether these arrived.
  for (size_t i = 0; i < session->signal_count; i++) session->signals[i].stream = 0;
}

void session_signal(struct session *session, int signal) {
  if (signal == SIGWINCH && session->options->terminal) {
    session->resize_due = true;
    return;
  }
  // As with signals that wait in the kernel: the same one once, unless it is a real-time signal.
  for (size_t i = 0; i < session->signal_count && signal < SIGRTMIN; i++) {
    if (session->signals[i].signal == signal && session->signals[i].stream == 0) return;
  }
  if (session->signal_count == MAX_SIGNALS) return;
  session->signals[session->signal_count++] = (struct signal_call){.signal = signal};
}

static void compose_signals(struct session *session) {
  const struct options *options = session->options;
  for (size_t i = 0; i < session->signal_count; i++) {
    struct signal_call *call = &session->signals[i];
    if (call->stream != 0) continue;
    if (!sender_add_request(&session->sender, session->next_stream, 0,
                            "{\"method\":\"kill\",\"request\":{\"container\":\"%s\",\"signal\":%d%s%s%s}}",
                            options->container, call->signal, exec_member(options),
                            options->exec == NULL ? "" : options->exec, options->exec == NULL ? "" : "\"")) {
      return;
    }
    call->stream = next_stream(session);
  }
}

static void compose_resize(struct session *session) {
  const struct options *options = session->options;
  struct winsize size;
  if (!session->resize_due) return;
  if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) {
    session->resize_due = false;
    return;
  }
  if (!sender_add_request(&session->sender, session->next_stream, 0,
                          "{\"method\":\"resize\",\"request\":{\"container\":\"%s\",\"rows\":%u,\"columns\":%u%s%s%s}}",
                          options->container, size.ws_row, size.ws_col, exec_member(options),
                          options->exec == NULL ? "" : options->exec, options->exec == NULL ? "" : "\"")) {
    return;
  }
  next_stream(session);
  session->resize_due = false;
}

static void compose_acknowledgement(struct session *session, struct output *output) {
  uint64_t fresh = output->written - output->acknowledged;
  if (fresh == 0 || (output->ring.fill > 0 && fresh < ACKNOWLEDGE_BYTES)) return;
  if (!sender_has_room(&session->sender, STREAM_HEADER_BYTES)) return;
  sender_add_data(&session->sender, session->attach_stream, output->acknowledgement, output->written, 0);
  output->acknowledged = output->written;
}

static void compose_input(struct session *session) {
  struct input *input = &session->input;
  while (!input->closed) {
    size_t sent = (size_t)(input->sent - input->acknowledged);
    struct iovec bytes = ring_peek(&input->ring, sent);
    if (bytes.iov_len == 0) break;
    size_t size = bytes.iov_len < MAX_STDIN_FRAME_BYTES ? bytes.iov_len : MAX_STDIN_FRAME_BYTES;
    if (!sender_has_room(&session->sender, STREAM_HEADER_BYTES + size)) return;
    memcpy(sender_add_data(&session->sender, session->attach_stream, KIND_STDIN, input->sent, size), bytes.iov_base, size);
    input->sent += size;
  }
  if (!input->ended || input->end_sent || !sender_has_room(&session->sender, STREAM_HEADER_BYTES)) return;
  sender_add_data(&session->sender, session->attach_stream, KIND_STDIN_EOF, input->sent, 0);
  input->end_sent = true;
}

void session_compose(struct session *session) {
  if (session->socket < 0) return;
  compose_resize(session);
  compose_signals(session);
  for (size_t i = 0; i < 2; i++) compose_acknowledgement(session, &session->outputs[i]);
  compose_input(session);
  if (sender_flush(&session->sender, session->socket) != 0) session_disconnect(session);
}

int session_receive(struct session *session, const unsigned char *bytes, size_t size, size_t *taken) {
  const struct reader *reader = &session->reader;
  *taken = size;
  if (reader->stream != session->attach_stream) return -EPROTO;
  if (reader->kind == KIND_STDOUT) return output_receive(&session->outputs[0], reader->offset, bytes, size, taken);
  if (reader->kind == KIND_STDERR) return output_receive(&session->outputs[1], reader->offset, bytes, size, taken);
  if (reader->kind == KIND_STDIN_ACKNOWLEDGED) input_acknowledge(&session->input, reader->offset);
  return 0;
}
