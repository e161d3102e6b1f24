#include "session.h"

#include <stdio.h>
#include <string.h>

// A line of our own behind what the process wrote.
static void say(struct session *session, const char *what) {
  struct output *output = &session->outputs[session->options->terminal ? 0 : 1];
  char line[2048];
  const char *end = session->options->terminal ? "\r\n" : "\n";
  int length = snprintf(line, sizeof line - 2, "wardian: %s", what);
  if (length < 0 || output->broken) return;
  if ((size_t)length > sizeof line - 4) length = sizeof line - 4;
  length += snprintf(line + length, sizeof line - (size_t)length, "%s", end);
  ring_push(&output->ring, (const unsigned char *)line, (size_t)length);
}

static void end_with(struct session *session, int exit_code) {
  session->ended = true;
  session->exit_code = exit_code;
}

void session_give_up(struct session *session, const char *why) {
  say(session, why);
  session->killed = true;
  end_with(session, EXIT_UNKNOWN);
}

static void take_report(struct session *session, struct text report) {
  struct text value;
  int exit_code = EXIT_UNKNOWN;
  int signal = 0;
  char reason[1024];
  if (json_member(report, "exitCode", &value)) json_number(value, &exit_code);
  if (json_member(report, "signal", &value)) json_number(value, &signal);
  session->killed = signal != 0;
  if (json_member(report, "sandboxFailure", &value)) {
    json_string(value, reason, sizeof reason);
    say(session, reason);
    session->killed = true;
    // Nothing but the machine's end tells why, so it must not look like success.
    if (exit_code == 0) exit_code = EXIT_UNKNOWN;
  }
  end_with(session, exit_code & 0xff);
}

// Some errors say no more than that this sandboxer is the wrong one or on its way out.
static bool is_about_connection(const char *code) {
  return strcmp(code, "SANDBOXER_UNREACHABLE") == 0 || strcmp(code, "CANCELLED") == 0;
}

static void take_error(struct session *session, struct text error) {
  struct text value;
  char code[64] = "";
  char message[1024] = "the sandboxer refused to attach to the process";
  if (json_member(error, "code", &value)) json_string(value, code, sizeof code);
  if (json_member(error, "message", &value)) json_string(value, message, sizeof message);
  if (is_about_connection(code)) {
    session_disconnect(session);
    return;
  }
  session_give_up(session, message);
}

static void forget_signal(struct session *session, uint32_t stream) {
  for (size_t i = 0; i < session->signal_count; i++) {
    if (session->signals[i].stream != stream) continue;
    session->signal_count--;
    memmove(&session->signals[i], &session->signals[i + 1], (session->signal_count - i) * sizeof *session->signals);
    return;
  }
}

void session_respond(struct session *session, uint32_t stream, const char *bytes, size_t size) {
  if (stream != session->attach_stream) {
    // A signal that could not be given has no process any more to be given to.
    forget_signal(session, stream);
    return;
  }
  const struct text document = {.begin = bytes, .end = bytes + size};
  struct text value;
  if (json_member(document, "response", &value)) take_report(session, value);
  else if (json_member(document, "error", &value)) take_error(session, value);
  else session_disconnect(session);
}
