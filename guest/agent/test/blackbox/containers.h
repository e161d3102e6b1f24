// Containers of the tests, which run the probe.
#pragma once

#include "../support.h"

enum { PLAIN_MOUNTS = 3, MOUNTS = 4 }; // those that need no image come first

extern message(Mount) mounts[MOUNTS];
extern message(DeviceNode) device;
extern const uint64_t NAMESPACES;
extern char *arguments[4];   // of the process that process_of made last
extern uint32_t created_pid; // of the container that was created last
extern bool hides_nothing;   // leave out what is to be hidden: such a request fits the spare container

// What a Stdio call has brought.
struct streams {
    char out[1 << 20];
    uint64_t length;         // offset behind the last byte of stdout
    message(ExitStatus) exit;
    bool stop_unacknowledged; // stop when the agent sends no more
};

// The probe with one or two arguments (`value` may be NULL).
message(Process) process_of(char *what, char *value);
// Returns the status code.
uint32_t create(char *id, message(Process) process, bool read_only);
// Returns the errno of an exec that failed.
uint32_t start(char *id);
// A container whose root is the folder c/root of the share, with nothing but a /dev.
message(CreateContainerRequest) describe_shared(char *id, message(Process) process);
// Returns the status code.
uint32_t create_as(message(CreateContainerRequest) *request);
// Creates, starts, follows and deletes; checks exit code and output (NULL: any).
void expect(message(CreateContainerRequest) *request, uint32_t code, const char *output);
void delete(char *id);
// Creates, starts, follows and deletes. The result is to be freed.
struct streams *run(char *id, message(Process) process, bool read_only);

// Begins a Stdio call; returns its stream.
uint32_t attach(char *id, char *exec_id, uint64_t stdout_offset);
void send_input(uint32_t stream, const message(StdioInput) *input);
void follow(uint32_t stream, struct streams *streams);
