// The launcher: what a VMM needs from the kernel and Node cannot ask for. It prepares, then becomes the VMM.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Descriptor on which the launcher reports to its parent: answers, readiness and errors.
enum { REPORT_FD = 3 };

enum { MAX_SOCKETS = 8, MAX_KEPT = 16, MAX_VISIBLE = 32 };

struct socket_request {
  int fd;
  const char *path;
};

// What `run` was asked for; strings point into argv.
struct run_options {
  struct socket_request sockets[MAX_SOCKETS];
  size_t socket_count;
  int kept[MAX_KEPT];
  size_t kept_count;
  const char *visible[MAX_VISIBLE];
  size_t visible_count;
  uint64_t file_limit_bytes;  // 0: none
  int oom_score;              // 0: as inherited
  uid_t uid;                  // 0: as inherited
  gid_t gid;
  gid_t device_gid;  // 0: none; group that may open /dev/kvm
  bool isolate;
  const char *control;  // socket of a stem, for `fork`
  const char *title;    // what the command line of a fork shows
  char **program;       // NULL: none was given
};

// Prints "launcher: <what>: <strerror>" to the report descriptor and to stderr.
void report_failure(const char *what, int error);

// Reads a decimal number up to `limit`; -EINVAL when it is anything else.
int parse_number(const char *text, uint64_t limit, uint64_t *number);

// Reads the command line of `run` or `fork`.
int parse_options(int argc, char **argv, struct run_options *options);

// Binds, listens, and leaves the socket at the descriptor that was asked for.
int open_sockets(const struct run_options *options);

// Connects to a socket of ours; returns its descriptor or -errno.
int connect_to(const char *path);

// Closes all descriptors but the standard ones, the report, the sockets and the kept ones.
int close_others(const struct run_options *options);

// Before isolation, which leaves nothing of /proc to write to: a higher score ends this process first when memory runs out.
void set_oom_score(const struct run_options *options);

// Own namespaces and an empty root folder in which only the visible paths exist (read-only).
int isolate(const struct run_options *options);

// Limits, user and group, no_new_privs. The last step before exec.
int confine(const struct run_options *options);

int command_run(int argc, char **argv);
int command_fork(int argc, char **argv);
int command_memory(int argc, char **argv);
int command_clock(void);
int command_isolation(void);
