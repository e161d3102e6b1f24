#include "base/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

static enum status status_of(int error) {
    switch (error) {
    case ENOENT: return STATUS_NOT_FOUND;
    case EEXIST: return STATUS_ALREADY_EXISTS;
    case EINVAL: return STATUS_INVALID_ARGUMENT;
    case ENOMEM:
    case ENOSPC:
    case EMFILE:
    case ENFILE:
    case EDQUOT: return STATUS_RESOURCE_EXHAUSTED;
    default: return STATUS_INTERNAL;
    }
}

int fail(struct failure *failure, enum status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(failure->message, sizeof failure->message, format, arguments);
    va_end(arguments);
    failure->status = status;
    return -EINVAL;
}

int fail_errno(struct failure *failure, int error, const char *format, ...) {
    int positive = error < 0 ? -error : error;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(failure->message, sizeof failure->message, format, arguments);
    va_end(arguments);
    if (length >= 0 && (size_t)length < sizeof failure->message) {
        snprintf(failure->message + length, sizeof failure->message - (size_t)length, ": %s", strerror(positive));
    }
    failure->status = status_of(positive);
    return -positive;
}

void make_resident(void) {
    struct timespec now;
    if (mlockall(MCL_CURRENT) < 0 || munlockall() < 0) log_line("cannot make memory resident: %s", strerror(errno));
    clock_gettime(CLOCK_REALTIME, &now); // the kernel's page with the time is locked by nobody: it comes when it is read
}

void log_line(const char *format, ...) {
    char line[512] = "wardian-agent: ";
    const size_t start = strlen(line);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + start, sizeof line - start - 1, format, arguments);
    va_end(arguments);
    size_t length = strlen(line);
    line[length++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, length);
    (void)written; // there is nobody else to tell
}
