#include "stub.h"

#include <errno.h>
#include <string.h>

static bool is_key(const char *text) {
  size_t length = strlen(text);
  if (length == 0 || length > MAX_KEY_LENGTH) return false;
  for (; *text != '\0'; text++) {
    bool is_digit = *text >= '0' && *text <= '9';
    bool is_letter = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z');
    if (!is_digit && !is_letter && *text != '-' && *text != '_') return false;
  }
  return true;
}

// A name of one file or folder.
static bool is_name(const char *text, size_t length) {
  if (length == 0 || length > 255 || memchr(text, '/', length) != NULL) return false;
  return text[0] != '.' || length > 2 || (length == 2 && text[1] != '.');
}

static int parse_size(const char *text, uint16_t *size) {
  unsigned value = 0;
  if (*text == '\0') return -EINVAL;
  for (; *text != '\0'; text++) {
    if (*text < '0' || *text > '9') return -EINVAL;
    value = value * 10 + (unsigned)(*text - '0');
    if (value > UINT16_MAX) return -EINVAL;
  }
  *size = (uint16_t)value;
  return 0;
}

// "NAME=PATH", or "NAME=OPTIONS" of an overlay
static bool parse_bind(const char *text, struct bind *bind) {
  const char *path = strchr(text, '=');
  if (path == NULL || (path[1] != '/' && !bind->overlay) || !is_name(text, (size_t)(path - text))) return false;
  bind->name = text;
  bind->name_length = (size_t)(path - text);
  bind->path = path + 1;
  return true;
}

// "--bind", "--bind-recursive", and either with "-readonly" behind it; "--overlay".
static bool is_bind(const char *name, struct bind *bind) {
  bind->overlay = strcmp(name, "--overlay") == 0;
  bind->recursive = bind->readonly = false;
  if (bind->overlay) return true;
  static const char prefix[] = "--bind", recursive[] = "-recursive", readonly[] = "-readonly";
  if (strncmp(name, prefix, sizeof prefix - 1) != 0) return false;
  name += sizeof prefix - 1;
  bind->recursive = strncmp(name, recursive, sizeof recursive - 1) == 0;
  if (bind->recursive) name += sizeof recursive - 1;
  bind->readonly = strcmp(name, readonly) == 0;
  return bind->readonly || *name == '\0';
}

static bool is_place(const char *name, struct bind *place) {
  place->overlay = place->recursive = place->readonly = false;
  return strcmp(name, "--place") == 0;
}

static int take(const char **target, const char *value, bool valid) {
  if (!valid || *target != NULL) return -EINVAL;
  *target = value;
  return 0;
}

static int take_path(const char **target, const char *value) { return take(target, value, value[0] == '/'); }

static int parse_valued(const char *name, const char *value, struct options *options) {
  struct bind bind;
  if (strcmp(name, "--socket") == 0) return take_path(&options->socket, value);
  if (strcmp(name, "--container") == 0) return take(&options->container, value, is_key(value));
  if (strcmp(name, "--exec") == 0) return take(&options->exec, value, is_key(value));
  if (strcmp(name, "--cgroup") == 0) {
    if (options->cgroup_count == MAX_CGROUPS || value[0] != '/') return -EINVAL;
    options->cgroups[options->cgroup_count++] = value;
    return 0;
  }
  if (strcmp(name, "--network-namespace") == 0) return take_path(&options->network_namespace, value);
  if (strcmp(name, "--uts-namespace") == 0) return take_path(&options->uts_namespace, value);
  if (strcmp(name, "--ipc-namespace") == 0) return take_path(&options->ipc_namespace, value);
  if (strcmp(name, "--cgroup-namespace") == 0) return take_path(&options->cgroup_namespace, value);
  if (strcmp(name, "--console-socket") == 0) return take_path(&options->console_socket, value);
  if (strcmp(name, "--rows") == 0) return parse_size(value, &options->rows);
  if (strcmp(name, "--columns") == 0) return parse_size(value, &options->columns);
  if (strcmp(name, "--share") == 0) return take_path(&options->share, value);
  if (strcmp(name, "--folder") == 0) return take(&options->folder, value, is_name(value, strlen(value)));
  if (strcmp(name, "--share-namespace") == 0) return take_path(&options->share_namespace, value);
  if (strcmp(name, "--rootfs") == 0) return take_path(&options->rootfs, value);
  if (is_bind(name, &bind) || is_place(name, &bind)) return parse_bind(value, &bind) ? 0 : -EINVAL;
  return -EINVAL;
}

static bool *find_switch(const char *name, struct options *options) {
  if (strcmp(name, "--new-network") == 0) return &options->new_network;
  if (strcmp(name, "--new-uts") == 0) return &options->new_uts;
  if (strcmp(name, "--new-ipc") == 0) return &options->new_ipc;
  if (strcmp(name, "--new-cgroup") == 0) return &options->new_cgroup;
  if (strcmp(name, "--terminal") == 0) return &options->terminal;
  if (strcmp(name, "--detached") == 0) return &options->detached;
  return NULL;
}

int check_clear_options(const struct options *options) {
  bool is_complete = options->share != NULL && options->folder != NULL && options->share_namespace != NULL;
  return is_complete ? 0 : fail("options go together:", "--share, --folder and --share-namespace", -EINVAL);
}

int check_options(const struct options *options) {
  if (options->socket == NULL) return fail("an option is missing:", "--socket", -EINVAL);
  if (options->container == NULL) return fail("an option is missing:", "--container", -EINVAL);
  bool shares = options->share != NULL;
  if (shares != (options->folder != NULL) || shares != (options->rootfs != NULL)) {
    return fail("options go together:", "--share, --folder and --rootfs", -EINVAL);
  }
  if (options->share_namespace != NULL && !shares) return fail("an option is missing:", "--share", -EINVAL);
  return 0;
}

int parse_options(int argc, char **argv, struct options *options) {
  int i = 1;
  for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
    bool *toggle = find_switch(argv[i], options);
    if (toggle != NULL) {
      *toggle = true;
      continue;
    }
    if (i + 1 == argc) return fail("no such option, or it lacks its value:", argv[i], -EINVAL);
    int error = parse_valued(argv[i], argv[i + 1], options);
    if (error != 0) return fail("cannot use the option", argv[i], error);
    i++;
  }
  options->arguments = argv;
  options->argument_count = i;
  if (i + 1 < argc) options->sandboxer = argv + i + 1;
  return 0;
}

typedef bool (*matches)(const char *name, struct bind *bind);

static bool find_next(const struct options *options, int *index, struct bind *bind, matches is_wanted) {
  if (*index == 0) *index = 1;
  struct options ignored;
  while (*index < options->argument_count) {
    const char *name = options->arguments[*index];
    if (find_switch(name, &ignored) != NULL) {
      *index += 1;
      continue;
    }
    const char *value = options->arguments[*index + 1];
    *index += 2;
    if (is_wanted(name, bind)) return parse_bind(value, bind);
  }
  return false;
}

bool next_bind(const struct options *options, int *index, struct bind *bind) {
  return find_next(options, index, bind, is_bind);
}

bool next_place(const struct options *options, int *index, struct bind *place) {
  return find_next(options, index, place, is_place);
}
