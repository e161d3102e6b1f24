#include "launcher.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

static int parse_fd(const char *text, int *fd) {
  uint64_t number;
  int error = parse_number(text, 1023, &number);
  if (error != 0) return error;
  *fd = (int)number;
  return *fd > REPORT_FD ? 0 : -EINVAL;
}

// "FD=PATH"
static int parse_socket(char *text, struct run_options *options) {
  char *path = strchr(text, '=');
  if (path == NULL || path[1] != '/' || options->socket_count == MAX_SOCKETS) return -EINVAL;
  *path = '\0';
  struct socket_request *request = &options->sockets[options->socket_count++];
  request->path = path + 1;
  return parse_fd(text, &request->fd);
}

static int parse_visible(const char *text, struct run_options *options) {
  if (text[0] != '/' || options->visible_count == MAX_VISIBLE) return -EINVAL;
  options->visible[options->visible_count++] = text;
  return 0;
}

static int parse_control(const char *text, struct run_options *options) {
  options->control = text;
  return text[0] == '/' ? 0 : -EINVAL;
}

static int parse_id(const char *text, uint32_t *id) {
  uint64_t number;
  int error = parse_number(text, UINT32_MAX - 1, &number);
  if (error == 0) *id = (uint32_t)number;
  return error;
}

static int parse_valued(const char *name, char *value, struct run_options *options) {
  if (strcmp(name, "--socket") == 0) return parse_socket(value, options);
  if (strcmp(name, "--visible") == 0) return parse_visible(value, options);
  if (strcmp(name, "--control") == 0) return parse_control(value, options);
  if (strcmp(name, "--title") == 0) {
    options->title = value;
    return 0;
  }
  if (strcmp(name, "--user") == 0) return parse_id(value, &options->uid);
  if (strcmp(name, "--group") == 0) return parse_id(value, &options->gid);
  if (strcmp(name, "--device-group") == 0) return parse_id(value, &options->device_gid);
  if (strcmp(name, "--file-limit") == 0) {
    return parse_number(value, LLONG_MAX, &options->file_limit_bytes);
  }
  if (strcmp(name, "--oom-score") == 0) {
    uint64_t score;
    int error = parse_number(value, 1000, &score);
    if (error == 0) options->oom_score = (int)score;
    return error;
  }
  if (strcmp(name, "--keep") == 0) {
    if (options->kept_count == MAX_KEPT) return -EINVAL;
    return parse_fd(value, &options->kept[options->kept_count++]);
  }
  return -EINVAL;
}

int parse_options(int argc, char **argv, struct run_options *options) {
  for (int i = 0; i < argc; i++) {
    if (strcmp(argv[i], "--") == 0) {
      options->program = argv + i + 1;
      return options->program[0] != NULL && options->program[0][0] == '/' ? 0 : -EINVAL;
    }
    if (strcmp(argv[i], "--isolate") == 0) {
      options->isolate = true;
      continue;
    }
    if (i + 1 >= argc) return -EINVAL;
    int error = parse_valued(argv[i], argv[i + 1], options);
    if (error != 0) return error;
    i++;
  }
  return 0;
}
