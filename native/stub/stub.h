// The stub: the host process that an engine sees as its container. It holds the standard streams, stands in the
// container's cgroups and namespaces, passes signals on, and ends with the exit code of the process in the guest.
// docs/stub.md tells its command line and its life.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// A socket to whoever started the stub: "ready" or "error: …" goes out, "go" comes in.
enum { CONTROL_FD = 3 };

// Exit codes of our own: nothing was started, and nobody knows what became of the process.
enum { EXIT_NOT_STARTED = 125, EXIT_UNKNOWN = 255 };

enum { MAX_CGROUPS = 32, MAX_KEY_LENGTH = 128 };

// What was asked for; strings point into argv.
struct options {
  const char *socket;
  const char *container;
  const char *exec;  // NULL: the container's own process
  const char *cgroups[MAX_CGROUPS];
  size_t cgroup_count;
  const char *network_namespace;
  const char *uts_namespace;
  const char *ipc_namespace;
  const char *cgroup_namespace;
  bool new_network;
  bool new_uts;
  bool new_ipc;
  bool new_cgroup;
  bool terminal;
  bool detached;  // whoever starts it does not wait for its end
  const char *console_socket;  // NULL: the terminal is descriptor 0
  uint16_t rows;
  uint16_t columns;
  const char *share;            // NULL: nothing is shared
  const char *folder;           // name of the container's folder in the share
  const char *share_namespace;  // NULL: its own
  const char *rootfs;
  char **arguments;  // in which next_bind finds the binds
  int argument_count;
  char **sandboxer;  // NULL: none is started
};

struct bind {
  const char *name;
  size_t name_length;
  const char *path;
  bool recursive;
  bool readonly;
  bool overlay;  // the path is no path, but the options of an overlay file system
};

// options.c
int parse_options(int argc, char **argv, struct options *options);
// What `clear` needs of them.
int check_clear_options(const struct options *options);
// What a stub needs.
int check_options(const struct options *options);
// Finds the next bind from argument *index on; false when there is none. Ten thousand of them cost no memory.
bool next_bind(const struct options *options, int *index, struct bind *bind);
// The same for where binds are in the container: their paths are its own.
bool next_place(const struct options *options, int *index, struct bind *place);

// base.c
int64_t now_ms(void);
// Keeps the first failure that is worth telling: "<what> <name>: <reason>".
int fail(const char *what, const char *name, int error);
const char *get_failure(void);
int write_text(int fd, const char *text, size_t size);
void close_descriptor(int *fd);

// What a sandboxer that is started gets back: the surroundings in which the stub itself was started.
struct home {
  int mount;  // namespaces; -1: not left
  int network;
  int uts;
  int ipc;
  int cgroup;
  int cgroups[MAX_CGROUPS];  // files with which they are joined
  size_t cgroup_count;
  int folder;  // where the socket is
};

// cgroups.c
int join_cgroups(const struct options *options, struct home *home);

// namespaces.c
int enter_namespaces(const struct options *options, struct home *home);
// Opens /proc/self/ns/<name>.
int open_own_namespace(const char *name);

// What is left to undo of a share in somebody else's mount namespace.
struct joined_share {
  int place;  // -1: none; the folder above the container's, in that namespace
  int other;  // that namespace
  int own;
};

// share.c
int assemble_share(const struct options *options, struct home *home, struct joined_share *joined);
void leave_share(const struct options *options, struct joined_share *joined);
// Does the same for a stub that was killed.
int clear_share(const struct options *options);
// After the hooks have run: lets go of all mounts but the share, so that none of the host's is kept busy.
int shed_mounts(const struct options *options, const struct home *home);

// view.c
// Mounts the view below the working folder; `proc` is the host's. Joined or not, the share is at its path.
int make_view(const struct options *options, int proc);
// Puts it on top of "/", the working folder.
int raise_view(void);

// orphan.c
// A descriptor for whoever started us; -1 when nobody is to be waited for.
int open_parent(const struct options *options);
// Waits until it has gone.
void outlive_parent(int parent);

// terminal.c
int open_terminal(const struct options *options);
// Makes the inherited terminal raw, and puts it back.
void take_terminal(const struct options *options);
void release_terminal(const struct options *options);

// connect.c
int connect_to(const char *path, int flags);
// Splits off the socket's folder, which is opened; what is left is its name.
int open_socket_folder(const struct options *options, struct home *home);

// stdio.c
void prepare_stdio(void);
ssize_t read_stream(int fd, void *bytes, size_t size);
ssize_t write_stream(int fd, const void *bytes, size_t size);
void replace_by_null(int fd);

// privileges.c
int drop_privileges(const struct options *options, const struct joined_share *joined);

// starter.c
void start_sandboxer(const struct options *options, const struct home *home);

// signals.c
int open_signals(void);

// loop.c
// Serves the process until its end; returns the exit code.
int serve(const struct options *options, const struct home *home, int signals);
