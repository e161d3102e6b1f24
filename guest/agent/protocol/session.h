// Sessions: agreeing with a host on where frames begin, and waiting for the next host (docs/protocol.md, "Session").
#pragma once

#include "protocol/frame.h"
#include "protocol/marker.h"

#include <stdbool.h>

struct session_events {
    int (*received)(const struct frame *frame); // negative: the host broke the rules, or there is no memory
    void (*ended)(void);                        // whatever was going on with this host is over
};

// Gets ready to wait and opens the channel: the port, or `channel_fd` when that is not negative.
int session_open(int channel_fd, const struct session_events *events);
bool session_is_open(void);
// Says "wardian-agent: waiting" on the console when no host is connected: all is ready for one, or for a snapshot.
void session_announce_waiting(void);
// Ends the session after what is queued, and waits for the next host; stores the nonce of the offer it will get.
void session_end_and_wait(uint8_t nonce[NONCE_SIZE]);
// Appends an empty frame to the output and returns where its `length` payload bytes go; NULL when there is no memory.
uint8_t *session_send(uint32_t stream, enum frame_type type, uint8_t flags, size_t length);
