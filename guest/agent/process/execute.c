#include "process/execute.h"

#include "process/home.h"

#include <limits.h>
#include <string.h>

static const char DEFAULT_PATH[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

static const char *search_path(const message(Process) *process) {
    for (size_t i = 0; i < process->env_count; i++) {
        if (strncmp(process->env[i], "PATH=", 5) == 0) return process->env[i] + 5;
    }
    return DEFAULT_PATH;
}

// Tries each directory of PATH. A file that may not be run is remembered, but does not end the search.
static int execute_from_path(char **args, char **env, const char *path) {
    int result = -ENOENT;
    for (;;) {
        const char *end = strchrnul(path, ':'); // an empty element is the working directory
        char file[PATH_MAX];
        int length = snprintf(file, sizeof file, "%.*s%s%s", (int)(end - path), path, end == path ? "./" : "/", args[0]);
        if (length > 0 && (size_t)length < sizeof file) {
            execve(file, args, env);
            if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) return -errno;
            if (errno == EACCES) result = -EACCES;
        }
        if (!*end) return result;
        path = end + 1;
    }
}

char **execute_list(char **texts, size_t count, char *more) {
    char **list = calloc(count + 2, sizeof *list);
    if (list && count) memcpy(list, texts, count * sizeof *list);
    if (list) list[count] = more;
    return list;
}

int execute(const message(Process) *process, struct failure *why) {
    char home[PATH_MAX];
    if (process->find_home) home_find(process->uid, home);
    char **args = execute_list(process->args, process->args_count, NULL);
    char **env = execute_list(process->env, process->env_count, process->find_home ? home : NULL);
    if (!args || !env) return fail_errno(why, ENOMEM, "exec");
    int error;
    if (!args[0][0]) {
        error = -ENOENT;
    } else if (strchr(args[0], '/')) {
        execve(args[0], args, env);
        error = -errno;
    } else {
        error = execute_from_path(args, env, search_path(process));
    }
    return fail_errno(why, error, "%.160s", args[0]);
}
