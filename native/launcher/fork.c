#include "launcher.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// What a stem understands: guest/qemu/patches, softmmu/stem.c. Both ends are built from this checkout.
enum { STEM_VERSION = 2, STEM_MAX_REPLACED = 32, STEM_TITLE_SIZE = 256 };
enum { STEM_ISOLATE = 1, STEM_WRITABLE = 2, STEM_ATTACH = 4 };
// In place of a number: not kept, but written to by the fork, which thereby joins the cgroup.
enum { STEM_CGROUP = -1 };


struct stem_request {
  uint32_t version;
  uint32_t flags;
  uint32_t uid;
  uint32_t gid;
  uint32_t share;  // its number
  uint32_t count;
  int32_t replaced[STEM_MAX_REPLACED];
  char title[STEM_TITLE_SIZE];
};

// A fork comes within milliseconds, on a busy host within tenths of a second: a stem that is silent for so long hangs.
static const struct timeval PATIENCE = {.tv_sec = 5};

// Descriptors and where they go in the fork.
struct parcel {
  size_t count;
  int fds[STEM_MAX_REPLACED];
};

static void pack(struct parcel *parcel, struct stem_request *request, int fd, int number) {
  request->replaced[parcel->count] = number;
  parcel->fds[parcel->count++] = fd;
}

static int pack_cgroups(const struct run_options *options, struct parcel *parcel,
                        struct stem_request *request) {
  for (size_t i = 0; i < options->cgroup_count; i++) {
    int fd = open_cgroup(options->cgroups[i]);
    if (fd < 0) return fd;
    pack(parcel, request, fd, STEM_CGROUP);
  }
  return 0;
}

// Most take the place of those with the same numbers: logs, sockets, share, taps, and what was kept.
static int collect(const struct run_options *options, struct parcel *parcel, struct stem_request *request) {
  size_t all = 2 + options->socket_count + options->kept_count + options->tap_count + options->cgroup_count;
  if (all > STEM_MAX_REPLACED) return -E2BIG;
  pack(parcel, request, STDOUT_FILENO, STDOUT_FILENO);
  for (size_t i = 0; i < options->socket_count; i++) {
    pack(parcel, request, options->sockets[i].fd, options->sockets[i].fd);
  }
  for (size_t i = 0; i < options->kept_count; i++) {
    pack(parcel, request, options->kept[i], options->kept[i]);
  }
  for (size_t i = 0; i < options->tap_count; i++) {
    pack(parcel, request, options->taps[i].fd, options->taps[i].fd);
  }
  if (options->share.path != NULL) {
    pack(parcel, request, options->share.fd, options->share.fd);
    request->share = (uint32_t)options->share.fd;
  }
  int error = pack_cgroups(options, parcel, request);
  request->count = (uint32_t)parcel->count;
  return error;
}

// A tree of mounts can be attached by root only; others hold it by its descriptor.
static uint32_t choose_flags(const struct run_options *options) {
  bool attach = options->isolate && options->share.path != NULL && geteuid() == 0;
  return (options->isolate ? STEM_ISOLATE : 0U) | (options->share.writable ? STEM_WRITABLE : 0U) |
         (attach ? STEM_ATTACH : 0U);
}

// A folder that is no tree of mounts of the fork's own would lead out of its root.
static int prepare_share(const struct run_options *options) {
  if (options->share.path == NULL) return 0;
  int error = options->isolate && geteuid() != 0 ? enter_private_mounts() : 0;
  return error == 0 ? open_share(&options->share) : error;
}

// A title that is too long is cut: it is for those who look at processes.
static void set_title(const struct run_options *options, struct stem_request *request) {
  if (options->title == NULL) return;
  size_t length = strnlen(options->title, STEM_TITLE_SIZE - 1);
  memcpy(request->title, options->title, length);
}

static int send_request(int stem, struct stem_request *request, const struct parcel *parcel) {
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
  memcpy(CMSG_DATA(part), parcel->fds, sizeof(int) * parcel->count);
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
  struct parcel parcel = {0};
  char answer[256];
  int error = parse_options(argc, argv, &options);
  if (error == 0 && options.control == NULL) error = -EINVAL;
  if (error == 0) error = open_sockets(&options);
  if (error == 0) error = open_taps(&options);
  if (error == 0) error = prepare_share(&options);
  if (error == 0) error = collect(&options, &parcel, &request);
  if (error != 0) {
    report_failure("cannot prepare a fork", error);
    return 125;
  }
  request.flags = choose_flags(&options);
  request.uid = options.uid;
  request.gid = options.gid;
  set_title(&options, &request);
  int stem = connect_to(options.control);
  error = stem < 0 ? stem : send_request(stem, &request, &parcel);
  if (error == 0) error = receive_answer(stem, answer, sizeof answer);
  if (error == 0) return report_answer(answer);
  report_failure("cannot ask the stem for a fork", error);
  return 125;
}
