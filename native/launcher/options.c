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

static int parse_share(char *text, struct run_options *options) {
  char *path = strchr(text, '=');
  if (path == NULL || path[1] != '/' || options->share.path != NULL) return -EINVAL;
  *path = '\0';
  options->share.path = path + 1;
  return parse_fd(text, &options->share.fd);
}

// "FD=NAME@NAMESPACE" of a tap, "FD=NAME:INDEX@NAMESPACE" of a macvtap
static int parse_tap(char *text, struct run_options *options) {
  char *name = strchr(text, '=');
  char *namespace = name == NULL ? NULL : strchr(name, '@');
  if (namespace == NULL || namespace[1] != '/' || options->tap_count == MAX_TAPS) return -EINVAL;
  *name = *namespace = '\0';
  struct tap_request *tap = &options->taps[options->tap_count++];
  tap->name = name + 1;
  tap->namespace = namespace + 1;
  char *index = strchr(tap->name, ':');
  if (index != NULL) {
    uint64_t number;
    *index = '\0';
    if (parse_number(index + 1, INT_MAX, &number) != 0 || number == 0) return -EINVAL;
    tap->index = (unsigned)number;
  }
  return parse_fd(text, &tap->fd);
}

static int parse_cgroup(const char *text, struct run_options *options) {
  if (text[0] != '/' || options->cgroup_count == MAX_CGROUPS) return -EINVAL;
  options->cgroups[options->cgroup_count++] = text;
  return 0;
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
  if (strcmp(name, "--share") == 0) return parse_share(value, options);
  if (strcmp(name, "--tap") == 0) return parse_tap(value, options);
  if (strcmp(name, "--cgroup") == 0) return parse_cgroup(value, options);
  if (strcmp(name, "--share-namespace") == 0) {
    options->share.namespace = value;
    return value[0] == '/' ? 0 : -EINVAL;
  }
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

static bool parse_flag(const char *name, struct run_options *options) {
  if (strcmp(name, "--isolate") == 0) return options->isolate = true;
  if (strcmp(name, "--stem") == 0) return options->is_stem = true;
  return strcmp(name, "--share-writable") == 0 && (options->share.writable = true);
}

int parse_options(int argc, char **argv, struct run_options *options) {
  for (int i = 0; i < argc; i++) {
    if (strcmp(argv[i], "--") == 0) {
      options->program = argv + i + 1;
      return options->program[0] != NULL && options->program[0][0] == '/' ? 0 : -EINVAL;
    }
    if (parse_flag(argv[i], options)) continue;
    if (i + 1 >= argc) return -EINVAL;
    int error = parse_valued(argv[i], argv[i + 1], options);
    if (error != 0) return error;
    i++;
  }
  return 0;
}
