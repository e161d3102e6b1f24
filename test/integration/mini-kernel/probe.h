// What the probe's files share. Each check prints one line: "probe: NAME: ok", or why not.
#pragma once

#include <errno.h>
#include <stdbool.h>

// Prints the outcome of a check; a result below zero is a failure, told by errno.
void report(const char *name, long result);

// Prints what the test compares itself: "tell: NAME: TEXT".
void tell(const char *name, const char *text);

void write_file(const char *path, const char *text);

// The content of a file, cut at a size of its own, without a newline at its end; in one buffer for all.
const char *read_file(const char *path);

// Runs the check in a process of its own, which may lose privileges, namespaces or its life; 0 when it returns true.
int in_child(bool (*check)(void));

void check_processes(void);
void check_confinement(void);
void check_files(void);
void check_network(void);
void check_filters(void);
