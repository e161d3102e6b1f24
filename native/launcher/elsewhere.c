#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int enter_namespace(const char *path, int kind) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  int error = setns(fd, kind) == 0 ? 0 : -errno;
  close(fd);
  return error;
}

int leave_at(int fd, int wanted) {
  if (fd == wanted) return fcntl(fd, F_SETFD, 0) == 0 ? 0 : -errno;
  int error = dup2(fd, wanted) < 0 ? -errno : 0;
  close(fd);
  return error;
}

// The child's exit status has room for an errno: the kernel's end well below 256.
int run_elsewhere(int (*job)(const void *), const void *argument) {
  pid_t child = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
  if (child < 0) return -errno;
  if (child == 0) {
    int error = job(argument);
    _exit(error < 0 ? -error : 0);
  }
  int status;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return -errno;
  }
  return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}
