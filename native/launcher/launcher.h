// The launcher: what a VMM needs from the kernel and Node cannot ask for. It prepares, then becomes the VMM.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Descriptor on which the launcher reports to its parent: answers, readiness and errors.
enum { REPORT_FD = 3 };

enum { MAX_SOCKETS = 8, MAX_KEPT = 16, MAX_VISIBLE = 32, MAX_TAPS = 8, MAX_CGROUPS = 16 };

struct socket_request {
  int fd;
  const char *path;
};

// A folder that the guest sees.
struct share_request {
  int fd;
  const char *path;       // NULL: there is none
  const char *namespace;  // NULL: the mount namespace that we are in
  bool writable;
};

struct tap_request {
  int fd;
  const char *name;
  const char *namespace;
  unsigned index;  // of a macvtap; 0: a tap
};

// What `run` was asked for; strings point into argv.
struct run_options {
  struct socket_request sockets[MAX_SOCKETS];
  size_t socket_count;
  int kept[MAX_KEPT];
  size_t kept_count;
  const char *visible[MAX_VISIBLE];
  size_t visible_count;
  struct share_request share;
  struct tap_request taps[MAX_TAPS];
  size_t tap_count;
  const char *cgroups[MAX_CGROUPS];
  size_t cgroup_count;
  uint64_t file_limit_bytes;  // 0: none
  bool is_stem;               // its forks may lift the limit, and need its rights
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

// Opens the folder as it is seen in its namespace, as a tree of mounts that is attached nowhere.
int open_share(const struct share_request *share);

// Attaches the tree at a folder that is made for it, in the root of the VMM.
int attach_share(const struct share_request *share, const char *place);

// Opens taps in their namespaces, and leaves them at the descriptors that were asked for.
int open_taps(const struct run_options *options);

// Opens the file of a cgroup that takes processes; returns its descriptor or -errno.
int open_cgroup(const char *folder);

// Moves this process to its cgroups.
int join_cgroups(const struct run_options *options);

// Runs a job in a child that shares our descriptors, and may go to other namespaces; returns what the job does.
int run_elsewhere(int (*job)(const void *), const void *argument);

// For jobs: joins the namespace at a path, which is of one CLONE_NEW* kind.
int enter_namespace(const char *path, int kind);

// Moves a descriptor to the wanted number, where it is left open across exec.
int leave_at(int fd, int wanted);

// Namespaces of one's own for who is not root and wants to make mounts.
int enter_private_mounts(void);

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
