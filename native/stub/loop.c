#include "session.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  // A stream that has been quiet for so long gives its memory back.
  QUIET_MS = 1000,
  // Who was killed cannot wait for a reader; its last output is given a chance.
  LAST_OUTPUT_MS = 5000,
};

enum { POLL_SIGNALS, POLL_SOCKET, POLL_STDIN, POLL_STDOUT, POLL_STDERR, POLL_COUNT };

static struct session session;

static void fill_poll(struct pollfd *entries, int signals) {
  bool is_live = session.socket >= 0;
  short events = 0;
  if (is_live && !session.stalled) events |= POLLIN;
  if (is_live && session.sender.begin < session.sender.end) events |= POLLOUT;
  entries[POLL_SIGNALS] = (struct pollfd){.fd = signals, .events = POLLIN};
  entries[POLL_SOCKET] = (struct pollfd){.fd = session.socket, .events = events};
  entries[POLL_STDIN] = (struct pollfd){.fd = -1, .events = POLLIN};
  if (!session.ended && input_wants_read(&session.input)) entries[POLL_STDIN].fd = STDIN_FILENO;
  for (size_t i = 0; i < 2; i++) {
    struct output *output = &session.outputs[i];
    entries[POLL_STDOUT + i] = (struct pollfd){.fd = output_wants_write(output) ? output->fd : -1, .events = POLLOUT};
  }
}

// After the end there is nobody to pass a signal to: one that ends processes ends us, should a reader keep us waiting.
static bool is_deadly(int signal) {
  return signal == SIGTERM || signal == SIGINT || signal == SIGQUIT || signal == SIGHUP;
}

static void read_signals(int signals) {
  struct signalfd_siginfo info;
  while (read(signals, &info, sizeof info) == (ssize_t)sizeof info) {
    int signal = (int)info.ssi_signo;
    if (signal == SIGCHLD || signal == SIGPIPE) continue;
    if (!session.ended) session_signal(&session, signal);
    else if (is_deadly(signal)) _exit(session.exit_code);
  }
}

static void read_socket(void) {
  struct reader *reader = &session.reader;
  ssize_t got = recv(session.socket, reader->bytes + reader->end, sizeof reader->bytes - reader->end, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    session_disconnect(&session);
    return;
  }
  reader->end += (size_t)got;
  if (reader_consume(&session) != 0) session_disconnect(&session);
}

static void serve_socket(short events) {
  if (session.socket < 0 || (events & (POLLIN | POLLHUP | POLLERR)) == 0) return;
  // What is still unread then comes again with the next connection.
  if (session.stalled) session_disconnect(&session);
  else read_socket();
}

static void write_outputs(void) {
  for (size_t i = 0; i < 2; i++) output_write(&session.outputs[i]);
  if (session.socket >= 0 && session.stalled && reader_consume(&session) != 0) session_disconnect(&session);
}

static bool has_output(void) { return output_wants_write(&session.outputs[0]) || output_wants_write(&session.outputs[1]); }

static bool is_touched(void) {
  return session.input.ring.touched || session.outputs[0].ring.touched || session.outputs[1].ring.touched;
}

static void release_memory(void) {
  ring_release(&session.input.ring);
  for (size_t i = 0; i < 2; i++) ring_release(&session.outputs[i].ring);
}

static int choose_timeout(int connect_ms) {
  if (session.ended) return session.killed ? LAST_OUTPUT_MS : -1;
  if (connect_ms >= 0) return connect_ms;
  return is_touched() ? QUIET_MS : -1;
}

// One round; false when a killed process's last output has found no reader.
static bool turn(int signals) {
  struct pollfd entries[POLL_COUNT];
  int connect_ms = session.ended ? -1 : session_connect(&session);
  session_compose(&session);
  fill_poll(entries, signals);
  int ready = poll(entries, POLL_COUNT, choose_timeout(connect_ms));
  if (ready < 0) return errno == EINTR;
  if (ready == 0) {
    release_memory();
    return !session.ended;
  }
  if (entries[POLL_SIGNALS].revents != 0) read_signals(signals);
  serve_socket(entries[POLL_SOCKET].revents);
  if (entries[POLL_STDIN].revents != 0 && input_wants_read(&session.input)) input_read(&session.input);
  write_outputs();
  if (session.ended && session.socket >= 0) session_disconnect(&session);
  return true;
}

int serve(const struct options *options, const struct home *home, int signals) {
  session_open(&session, options, home);
  while (turn(signals) && !(session.ended && !has_output())) continue;
  return session.exit_code;
}
