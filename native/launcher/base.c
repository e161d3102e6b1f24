#include "launcher.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void report_failure(const char *what, int error) {
  char line[512];
  int length = snprintf(line, sizeof line, "launcher: %s: %s\n", what, strerror(error < 0 ? -error : error));
  if (length < 0) return;
  size_t size = (size_t)length < sizeof line ? (size_t)length : sizeof line - 1;
  // Nobody is left to tell when both of these fail; the exit code still speaks.
  if (write(REPORT_FD, line, size) < 0 && write(STDERR_FILENO, line, size) < 0) _exit(125);
}

int parse_number(const char *text, uint64_t limit, uint64_t *number) {
  if (*text == '\0') return -EINVAL;
  uint64_t value = 0;
  for (; *text != '\0'; text++) {
    if (*text < '0' || *text > '9') return -EINVAL;
    uint64_t digit = (uint64_t)(*text - '0');
    if (value > (limit - digit) / 10) return -EINVAL;
    value = value * 10 + digit;
  }
  *number = value;
  return 0;
}
