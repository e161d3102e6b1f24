// What every file of the agent leans on: freeing at the end of a scope, and the reason why something failed.
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define FORMAT(text, first) __attribute__((format(printf, text, first)))
#define AUTO_CLOSE __attribute__((cleanup(close_scoped)))
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
// The structure that `field` at `pointer` is part of.
#define CONTAINER_OF(pointer, type, field) ((type *)(void *)((char *)(pointer)-offsetof(type, field)))

static inline void close_scoped(int *fd) {
    if (*fd >= 0) {
        int saved = errno;
        close(*fd);
        errno = saved;
    }
}

static inline void close_and_forget(int *fd) {
    close_scoped(fd);
    *fd = -1;
}

// The text, or "" for a field that was not sent.
static inline const char *text_or_empty(const char *text) {
    return text ? text : "";
}

// gRPC's status codes, as far as the agent answers with them.
enum status {
    STATUS_OK = 0,
    STATUS_INVALID_ARGUMENT = 3,
    STATUS_NOT_FOUND = 5,
    STATUS_ALREADY_EXISTS = 6,
    STATUS_RESOURCE_EXHAUSTED = 8,
    STATUS_FAILED_PRECONDITION = 9,
    STATUS_UNIMPLEMENTED = 12,
    STATUS_INTERNAL = 13,
};

enum { FAILURE_MESSAGE_SIZE = 240 };

// Why a request failed: the status that the host gets, and a sentence for people.
struct failure {
    enum status status;
    char message[FAILURE_MESSAGE_SIZE];
};

// Fills `failure` and returns -EINVAL or the like, so that it can stand behind a `return`.
int fail(struct failure *failure, enum status status, const char *format, ...) FORMAT(3, 4);
// The same for a system call's error (positive or negative), whose text is appended and whose status is chosen by it.
int fail_errno(struct failure *failure, int error, const char *format, ...) FORMAT(3, 4);

// Writes to no page, but lets each that may be written be there: in a clone it would be a page fault.
void make_resident(void);

// A line on the console, "wardian-agent: ...".
void log_line(const char *format, ...) FORMAT(1, 2);
