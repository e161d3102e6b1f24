#include "stub.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// Ours are 0 to 2, and the control socket; nothing of whoever started us stays open.
static int check_descriptors(void) {
  for (int fd = open("/dev/null", O_RDWR); fd <= STDERR_FILENO; fd = open("/dev/null", O_RDWR)) {
    if (fd < 0) return fail("cannot open", "/dev/null", -errno);
  }
  if (fcntl(CONTROL_FD, F_SETFD, FD_CLOEXEC) != 0) return fail("cannot use", "descriptor 3", -errno);
  return syscall(SYS_close_range, CONTROL_FD + 1, ~0U, 0) == 0 ? 0 : fail("cannot close", "descriptors", -errno);
}

// EPERM: it leads a session already.
static int lead_session(void) {
  return setsid() >= 0 || errno == EPERM ? 0 : fail("cannot start", "a session", -errno);
}

static int prepare(const struct options *options, struct home *home, struct joined_share *joined) {
  int error = lead_session();
  if (error == 0) error = open_socket_folder(options, home);
  if (error == 0) error = open_terminal(options);
  if (error == 0) error = join_cgroups(options, home);
  if (error == 0) error = enter_namespaces(options, home);
  if (error == 0) error = assemble_share(options, home, joined);
  return error;
}

static int report(void) {
  char line[8192];
  int length = snprintf(line, sizeof line, "error: %s\n", get_failure());
  // Whoever started us may be gone; the exit code still speaks.
  if (length > 0) write_text(CONTROL_FD, line, (size_t)length);
  return EXIT_NOT_STARTED;
}

// False: whoever started us has died, or has undone everything.
static bool wait_for_go(void) {
  char line[4];
  size_t size = 0;
  if (write_text(CONTROL_FD, "ready\n", 6) != 0) return false;
  while (size < 3) {
    ssize_t got = read(CONTROL_FD, line + size, 3 - size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    size += (size_t)got;
  }
  return memcmp(line, "go\n", 3) == 0;
}

// What is not needed any more, when nobody can undo it.
static int settle(const struct options *options, const struct home *home, const struct joined_share *joined) {
  prepare_stdio();
  int error = shed_mounts(options, home);
  if (error == 0) error = drop_privileges(options, joined);
  take_terminal(options);
  return error;
}

static void complain(void) {
  char line[8192];
  int length = snprintf(line, sizeof line, "wardian: %s\n", get_failure());
  if (length > 0) write_text(STDERR_FILENO, line, (size_t)length);
}

// `clear`: takes the folder of a container whose stub was killed out of the share of another's sandbox.
static int command_clear(int argc, char **argv) {
  struct options options = {0};
  int error = parse_options(argc, argv, &options);
  if (error == 0) error = check_clear_options(&options);
  if (error == 0) error = clear_share(&options);
  if (error != 0) complain();
  return error == 0 ? 0 : EXIT_NOT_STARTED;
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "clear") == 0) return command_clear(argc - 1, argv + 1);
  struct options options = {0};
  struct home home = {.mount = -1, .network = -1, .uts = -1, .ipc = -1, .cgroup = -1, .folder = -1};
  struct joined_share joined = {.place = -1, .other = -1, .own = -1};
  prctl(PR_SET_NAME, "wardian-stub");
  // Before anything waits: a signal that comes early is for the process, too.
  if (check_descriptors() != 0) return report();
  int signals = open_signals();
  if (signals < 0 || parse_options(argc, argv, &options) != 0 || check_options(&options) != 0) return report();
  int parent = open_parent(&options);
  if (prepare(&options, &home, &joined) != 0) {
    leave_share(&options, &joined);
    return report();
  }
  if (!wait_for_go()) {
    leave_share(&options, &joined);
    return EXIT_NOT_STARTED;
  }
  int exit_code = EXIT_NOT_STARTED;
  int error = settle(&options, &home, &joined);
  // Tells that everything is in its place: who joins this sandbox may come now.
  close(CONTROL_FD);
  if (error == 0) exit_code = serve(&options, &home, signals);
  else complain();
  release_terminal(&options);
  leave_share(&options, &joined);
  outlive_parent(parent);
  return exit_code;
}
