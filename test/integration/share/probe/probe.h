// Asks a file system for everything that programs expect of one; each check works in an empty folder of its own.
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

// 0, or -1 with errno; a check that finds wrong content says EBADMSG.
typedef int check_function(void);

struct check {
    const char *name;
    check_function *run;
};

extern const struct check name_checks[], open_checks[], memory_checks[], lock_checks[], space_checks[], special_checks[], owner_checks[];

// Fails the check that it stands in, with the errno of what failed.
#define MUST(condition)                  \
    do {                                 \
        if (!(condition)) return -1;     \
    } while (0)
// The same for a wrong answer.
#define SAME(condition)                          \
    do {                                         \
        if (!(condition)) {                      \
            errno = EBADMSG;                     \
            return -1;                           \
        }                                        \
    } while (0)

// Makes a file with a text and closes it.
int put(const char *path, const char *text);
// Whether a file holds exactly this text.
bool holds(const char *path, const char *text);
// Runs a check in a child, and takes over its errno.
int in_child(check_function *run);
