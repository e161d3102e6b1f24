// The byte stream to the host: a virtio-serial port, or a socket in tests. It hides connecting, hang-ups and
// back-pressure; what the bytes mean is the session's business.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct channel_events {
    void (*connected)(void);                               // a host is there (again)
    void (*hung_up)(void);                                 // the host is gone; queued output has been dropped
    void (*received)(const uint8_t *data, size_t size);
};

// Opens the virtio-serial port called "wardian.agent".
int channel_open_port(const struct channel_events *events);
// Tests: `fd` is a connected stream, or a socket that listens for hosts, one at a time.
int channel_open_fd(int fd, const struct channel_events *events);
bool channel_is_connected(void);

// Reserves `size` bytes at the end of the output queue; NULL when there is no memory.
uint8_t *channel_reserve(size_t size);
// Drops what is queued but not yet written.
void channel_drop_output(void);
// Whether output of containers may be queued; answers may always, reading stops instead when they pile up.
bool channel_has_room(void);
// Writes as much of the queue as the host takes. Called once after each turn of the loop.
void channel_flush(void);
// The same for the last words before power-off: waits for the host, at most `timeout_ms`.
void channel_flush_for(int timeout_ms);
