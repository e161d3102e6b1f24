#include "state/stdio-streams.h"

#include "base/base.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

static void output_close(struct output_stream *out) {
    loop_unwatch(&out->watch);
    close_and_forget(&out->watch.fd);
}

// Reads until the pipe is empty or the ring is full; a full ring is not watched, so that the process blocks.
static void output_read(struct output_stream *out) {
    while (out->watch.fd >= 0) {
        uint8_t *place = NULL;
        size_t space = ring_space(&out->ring, &place);
        if (out->draining && space > out->remaining) space = out->remaining;
        if (out->draining && out->remaining == 0) {
            output_close(out);
            return;
        }
        if (space == 0) {
            loop_unwatch(&out->watch);
            return;
        }
        ssize_t count = read(out->watch.fd, place, space);
        if (count > 0) {
            ring_commit(&out->ring, (size_t)count);
            if (out->draining) out->remaining -= (size_t)count;
            else if ((size_t)count < space) return; // level triggered: what comes now is announced again
        } else if (count < 0 && errno == EINTR) {
            continue;
        } else if (count < 0 && errno == EAGAIN && !out->draining) {
            loop_watch(&out->watch, EPOLLIN);
            return;
        } else {
            output_close(out); // end of file, EIO of a terminal nobody holds, or drained
        }
    }
}

static void output_ready(struct watch *watch, uint32_t events) {
    (void)events;
    output_read(CONTAINER_OF(watch, struct output_stream, watch));
}

int output_acknowledge(struct output_stream *out, uint64_t offset) {
    if (offset > out->sent) return -EPROTO;
    if (offset <= out->acknowledged) return 0;
    ring_drop(&out->ring, (size_t)(offset - out->acknowledged));
    out->acknowledged = offset;
    if (out->watch.fd < 0 || (out->watch.watched && !out->draining)) return 0;
    if (out->draining) output_read(out);
    else loop_watch(&out->watch, EPOLLIN);
    return 0;
}

static void input_close(struct input_stream *in) {
    loop_unwatch(&in->watch);
    close_and_forget(&in->watch.fd);
    in->delivered += in->ring.length;
    ring_clear(&in->ring);
}

// Hands over what the process takes. Without bytes to write only the closing of the read end is of interest.
static void input_write(struct input_stream *in) {
    while (in->ring.length > 0) {
        const uint8_t *piece = NULL;
        size_t size = ring_peek(&in->ring, 0, &piece);
        ssize_t count = write(in->watch.fd, piece, size);
        if (count > 0) {
            ring_drop(&in->ring, (size_t)count);
            in->delivered += (uint64_t)count;
        } else if (count < 0 && errno == EINTR) {
            continue;
        } else if (count < 0 && errno == EAGAIN) {
            loop_watch(&in->watch, EPOLLOUT);
            return;
        } else {
            input_close(in);
            return;
        }
    }
    if (in->eof) input_close(in);
    else loop_watch(&in->watch, 0);
}

static void input_ready(struct watch *watch, uint32_t events) {
    struct input_stream *in = CONTAINER_OF(watch, struct input_stream, watch);
    if (events & (EPOLLERR | EPOLLHUP)) input_close(in);
    else input_write(in);
}

int input_receive(struct input_stream *in, uint64_t offset, const uint8_t *data, size_t size, bool eof) {
    uint64_t received = in->delivered + in->ring.length;
    if (offset > received) return -EPROTO;
    if (received - offset < size) {
        size_t old = (size_t)(received - offset);
        data += old;
        size -= old;
    } else {
        size = 0;
    }
    if (size > RING_LIMIT_BYTES - in->ring.length) return -EPROTO;
    if (in->watch.fd < 0) {
        in->delivered += size;
        return 0;
    }
    if (in->eof && size > 0) return -EPROTO;
    if (size > 0 && ring_append(&in->ring, data, size) < size) return -ENOMEM;
    in->eof = in->eof || eof;
    input_write(in);
    return 0;
}

void stdio_streams_init(struct stdio_streams *streams) {
    *streams = (struct stdio_streams){0};
    streams->out[0].watch.fd = streams->out[1].watch.fd = streams->in.watch.fd = -1;
}

int stdio_streams_open(struct stdio_streams *streams, int in, int out, int err) {
    const int outputs[] = {out, err};
    for (size_t i = 0; i < COUNT(outputs); i++) {
        streams->out[i].watch = (struct watch){.fd = outputs[i], .ready = output_ready};
    }
    for (size_t i = 0; i < COUNT(outputs); i++) {
        int error = outputs[i] < 0 ? 0 : loop_watch(&streams->out[i].watch, EPOLLIN);
        if (error) return error;
    }
    return in < 0 ? 0 : stdio_streams_open_input(streams, in);
}

int stdio_streams_open_input(struct stdio_streams *streams, int in) {
    streams->in.watch = (struct watch){.fd = in, .ready = input_ready};
    return loop_watch(&streams->in.watch, 0);
}

// A pipe says how much it holds. A terminal does not, but flushes what was written to it before it reports
// that there is nothing more, so a ring full is bound enough against a grandchild that goes on writing.
static size_t held_bytes(int fd) {
    int available = 0;
    if (isatty(fd)) return RING_LIMIT_BYTES;
    return ioctl(fd, FIONREAD, &available) == 0 && available > 0 ? (size_t)available : 0;
}

void stdio_streams_process_ended(struct stdio_streams *streams) {
    if (streams->in.watch.fd >= 0) input_close(&streams->in);
    for (size_t i = 0; i < COUNT(streams->out); i++) {
        struct output_stream *out = &streams->out[i];
        if (out->watch.fd < 0) continue;
        out->remaining = held_bytes(out->watch.fd);
        out->draining = true;
        output_read(out);
    }
}

void stdio_streams_close_input(struct stdio_streams *streams) {
    if (streams->in.watch.fd >= 0) input_close(&streams->in);
}

void stdio_streams_close(struct stdio_streams *streams) {
    stdio_streams_close_input(streams);
    for (size_t i = 0; i < COUNT(streams->out); i++) {
        output_close(&streams->out[i]);
        ring_clear(&streams->out[i].ring);
    }
}
