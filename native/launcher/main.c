#include "launcher.h"

#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
  const char *command = argc < 2 ? "" : argv[1];
  if (strcmp(command, "run") == 0) return command_run(argc - 2, argv + 2);
  if (strcmp(command, "fork") == 0) return command_fork(argc - 2, argv + 2);
  if (strcmp(command, "memory") == 0) return command_memory(argc - 2, argv + 2);
  if (strcmp(command, "clock") == 0) return command_clock();
  if (strcmp(command, "isolation") == 0) return command_isolation();
  static const char usage[] =
      "usage: launcher run [option...] -- program [argument...]\n"
      "       launcher fork --control SOCKET [option...]\n"
      "       launcher memory create BYTES | load FILE BYTES | save FD FILE\n"
      "       launcher clock\n"
      "       launcher isolation\n";
  return write(STDERR_FILENO, usage, sizeof usage - 1) < 0 ? 125 : 2;
}
