#include "launcher.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// What a stem understands: guest/qemu/patches, softmmu/stem.c. Both ends are built from this checkout.
enum { STEM_VERSION = 1, STEM_ISOLATE = 1, STEM_MAX_REPLACED = 12, STEM_TITLE_SIZE = 256 };

struct stem_request {
  uint32_t version;
  uint32_t flags;
  uint32_t uid;
  uint32_t gid;
  uint32_t count;
  int32_t replaced[STEM_MAX_REPLACED];
  char title[STEM_TITLE_SIZE];
};

// A fork comes within milliseconds, on a busy host within tenths of a second: a stem that is silent for so long hangs.
static const struct timeval PATIENCE = {.tv_sec = 5};

// Descriptors take the place of those with the same numbers in the fork: logs, sockets, and what was kept.
static int collect(const struct run_options *options, struct stem_request *request) {
  if (1 + options->socket_count + options->kept_count > STEM_MAX_REPLACED) return -E2BIG;
  request->replaced[request->count++] = STDOUT_FILENO;
  for (size_t i = 0; i < options->socket_count; i++) {
    request->replaced[request->count++] = options->sockets[i].fd;
  }
  for (size_t i = 0; i < options->kept_count; i++) {
    request->replaced[request->count++] = options->kept[i];
  }
  return 0;
}

// A title that is too long is cut: it is for those who look at processes.
static void set_title(const struct run_options *options, struct stem_request *request) {
  if (options->title == NULL) return;
  size_t length = strnlen(options->title, STEM_TITLE_SIZE - 1);
  memcpy(request->title, options->title, length);
}

static int send_request(int stem, struct stem_request *request) {
  union {
    char bytes[CMSG_SPACE(sizeof(int) * STEM_MAX_REPLACED)];
    struct cmsghdr aligned;
  } control = {0};
  struct iovec vector = {.iov_base = request, .iov_len = sizeof *request};
  struct msghdr message = {
      .msg_iov = &vector,
      .msg_iovlen = 1,
      .msg_control = control.bytes,
      .msg_controllen = (socklen_t)CMSG_SPACE(sizeof(int) * request->count),
  };
  struct cmsghdr *part = CMSG_FIRSTHDR(&message);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = (socklen_t)CMSG_LEN(sizeof(int) * request->count);
  memcpy(CMSG_DATA(part), request->replaced, sizeof(int) * request->count);
  return sendmsg(stem, &message, MSG_NOSIGNAL) == (ssize_t)sizeof *request ? 0 : -errno;
}

// The answer is a line: "ok PID", or a complaint, which goes to our parent as it is.
static int receive_answer(int stem, char *answer, size_t size) {
  if (setsockopt(stem, SOL_SOCKET, SO_RCVTIMEO, &PATIENCE, sizeof PATIENCE) != 0) return -errno;
  ssize_t length = recv(stem, answer, size - 1, 0);
  if (length < 0) return -errno;
  answer[length] = '\0';
  return length > 0 ? 0 : -ECONNRESET;
}

static int report_answer(const char *answer) {
  static const char ok[] = "ok ";
  if (strncmp(answer, ok, sizeof ok - 1) == 0) {
    const char *pid = answer + sizeof ok - 1;
    return write(REPORT_FD, pid, strlen(pid)) < 0 ? 125 : 0;
  }
  dprintf(REPORT_FD, "launcher: the stem answered: %s", answer);
  return 125;
}

int command_fork(int argc, char **argv) {
  struct run_options options = {0};
  struct stem_request request = {.version = STEM_VERSION};
  char answer[256];
  int error = parse_options(argc, argv, &options);
  if (error == 0 && options.control == NULL) error = -EINVAL;
  if (error == 0) error = collect(&options, &request);
  if (error == 0) error = open_sockets(&options);
  if (error != 0) {
    report_failure("cannot prepare a fork", error);
    return 125;
  }
  request.flags = options.isolate ? STEM_ISOLATE : 0;
  request.uid = options.uid;
  request.gid = options.gid;
  set_title(&options, &request);
  int stem = connect_to(options.control);
  error = stem < 0 ? stem : send_request(stem, &request);
  if (error == 0) error = receive_answer(stem, answer, sizeof answer);
  if (error == 0) return report_answer(answer);
  report_failure("cannot ask the stem for a fork", error);
  return 125;
}
