#include "base/settings.h"

struct settings settings = {.run_dir = "/run/wardian", .cgroup_dir = "/sys/fs/cgroup/containers"};
