#include "stub.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

// As the inherited terminal was found.
static struct termios found;
static bool is_raw;

// The guest's own terminal echoes, edits and translates; this one only carries bytes.
static int make_raw(int fd) {
  struct termios settings;
  if (tcgetattr(fd, &settings) != 0) return -errno;
  cfmakeraw(&settings);
  return tcsetattr(fd, TCSANOW, &settings) == 0 ? 0 : -errno;
}

// Engines take a name with it; that of the device is as good as any.
static int send_descriptor(int socket, int fd) {
  char name[] = "/dev/ptmx";
  struct iovec text = {.iov_base = name, .iov_len = sizeof name - 1};
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
  } control = {0};
  struct msghdr message = {
      .msg_iov = &text, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.space};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  return sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int hand_over(const char *console_socket, int master) {
  int socket = connect_to(console_socket, 0);
  if (socket < 0) return fail("cannot connect to the console socket", console_socket, socket);
  int error = send_descriptor(socket, master);
  close(socket);
  return error == 0 ? 0 : fail("cannot send the terminal to", console_socket, error);
}

// Raw, of the size that was asked for, and ours: as its controlling process we are told of sizes and of its end.
static int prepare(const struct options *options, int slave) {
  int error = make_raw(slave);
  if (error != 0) return fail("cannot change", "the terminal", error);
  const struct winsize size = {.ws_row = options->rows, .ws_col = options->columns};
  if (options->rows > 0 && options->columns > 0 && ioctl(slave, TIOCSWINSZ, &size) != 0) {
    return fail("cannot change", "the size of the terminal", -errno);
  }
  if (ioctl(slave, TIOCSCTTY, 0) != 0) return fail("cannot control", "the terminal", -errno);
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
    if (dup2(slave, fd) < 0) return fail("cannot use", "the terminal", -errno);
  }
  return 0;
}

int open_terminal(const struct options *options) {
  if (!options->terminal || options->console_socket == NULL) return 0;
  int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0) return fail("cannot open", "/dev/ptmx", -errno);
  const int unlocked = 0;
  int slave = -1;
  if (ioctl(master, TIOCSPTLCK, &unlocked) == 0) {
    slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  }
  int error = slave < 0 ? fail("cannot open", "the terminal", -errno) : prepare(options, slave);
  if (error == 0) error = hand_over(options->console_socket, master);
  close_descriptor(&slave);
  close(master);
  return error;
}

void take_terminal(const struct options *options) {
  if (!options->terminal || options->console_socket != NULL) return;
  is_raw = tcgetattr(STDIN_FILENO, &found) == 0 && make_raw(STDIN_FILENO) == 0;
}

void release_terminal(const struct options *options) {
  if (is_raw) tcsetattr(STDIN_FILENO, TCSADRAIN, &found);
  // The end of a terminal's session leader discards what nobody has read yet of the terminal, unless it lets go first.
  if (options->terminal && options->console_socket != NULL) ioctl(STDIN_FILENO, TIOCNOTTY);
}
