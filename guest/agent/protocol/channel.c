#include "protocol/channel.h"

#include "base/base.h"
#include "base/loop.h"
#include "base/uevents.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum {
    READ_SIZE = 64 * 1024,
    ROOM_BYTES = 128 * 1024,       // output of containers is queued below this
    PAUSE_BYTES = 1024 * 1024,     // above this no more requests are read
    PORT_TIMEOUT_MS = 10 * 1000,   // without its port the agent is of no use
    KEEP_CAPACITY = 256 * 1024,    // an empty queue that once was larger gives its memory back
};

static const char PORTS[] = "/sys/class/virtio-ports";
static const char PORT_NAME[] = "wardian.agent\n";

static struct channel_events handle;
static struct watch channel = {.fd = -1};
static struct watch listener = {.fd = -1};
static bool connected;
static bool paused;

static struct {
    uint8_t *bytes;
    size_t capacity, start, end;
} output;

static void channel_ready(struct watch *watch, uint32_t events);

// Edge triggered, because a port without a host reports a hang-up for as long as there is none.
static int watch_channel(void) {
    return loop_watch(&channel, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

static void set_connected(bool now) {
    if (connected == now) return;
    connected = now;
    if (now) {
        handle.connected();
        return;
    }
    channel_drop_output();
    handle.hung_up();
}

static void accept_host(struct watch *watch, uint32_t events) {
    (void)events;
    int fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return;
    if (channel.fd >= 0) {
        close(fd);
        return;
    }
    channel = (struct watch){.fd = fd, .ready = channel_ready};
    if (watch_channel() == 0) set_connected(true);
}

// A socket's end is final, a port's is not: the next host comes to the same descriptor.
static void lose_host(bool final) {
    if (final) {
        loop_unwatch(&channel);
        close_and_forget(&channel.fd);
    }
    set_connected(false);
}

static void read_all(bool is_port) {
    static uint8_t buffer[READ_SIZE];
    for (;;) {
        paused = output.end - output.start > PAUSE_BYTES;
        if (paused || channel.fd < 0) return;
        ssize_t count = read(channel.fd, buffer, sizeof buffer);
        if (count > 0) {
            handle.received(buffer, (size_t)count);
            if (is_port && (size_t)count == sizeof buffer) continue;
        } else if (count == 0) {
            lose_host(!is_port);
            return;
        } else if (errno == EAGAIN) {
            return;
        } else if (errno != EINTR) {
            lose_host(!is_port);
            return;
        }
    }
}

static bool is_port(void) {
    return listener.fd < 0;
}

static void channel_ready(struct watch *watch, uint32_t events) {
    (void)watch;
    if (is_port() && (events & EPOLLHUP)) {
        lose_host(false);
        return;
    }
    if (is_port()) set_connected(true);
    read_all(is_port());
}

static int port_device(char *path, size_t size) {
    DIR *ports = opendir(PORTS);
    if (!ports) return -errno;
    int result = -ENODEV;
    for (struct dirent *entry; result != 0 && (entry = readdir(ports));) {
        char name_path[320], name[64] = "";
        snprintf(name_path, sizeof name_path, "%s/%s/name", PORTS, entry->d_name);
        AUTO_CLOSE int fd = open(name_path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || read(fd, name, sizeof name - 1) <= 0 || strcmp(name, PORT_NAME) != 0) continue;
        snprintf(path, size, "/dev/%s", entry->d_name);
        result = 0;
    }
    closedir(ports);
    return result;
}

// The driver makes its ports some time after it was loaded.
static int try_to_open_port(const void *argument) {
    char path[280];
    (void)argument;
    int error = port_device(path, sizeof path);
    if (error) return error;
    channel = (struct watch){.fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC), .ready = channel_ready};
    return channel.fd < 0 ? -errno : 0;
}

int channel_open_port(const struct channel_events *events) {
    handle = *events;
    int error = uevents_try_until(try_to_open_port, NULL, PORT_TIMEOUT_MS);
    if (error) return error;
    struct pollfd state = {.fd = channel.fd, .events = POLLIN | POLLOUT};
    connected = poll(&state, 1, 0) >= 0 && !(state.revents & POLLHUP);
    return watch_channel();
}

int channel_open_fd(int fd, const struct channel_events *events) {
    int listens = 0;
    socklen_t size = sizeof listens;
    handle = *events;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0) return -errno;
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) return -errno;
    if (listens) {
        listener = (struct watch){.fd = fd, .ready = accept_host};
        return loop_watch(&listener, EPOLLIN);
    }
    channel = (struct watch){.fd = fd, .ready = channel_ready};
    connected = true;
    return watch_channel();
}

bool channel_is_connected(void) {
    return connected;
}

uint8_t *channel_reserve(size_t size) {
    if (output.capacity - output.end < size) {
        size_t used = output.end - output.start;
        size_t capacity = output.capacity ? output.capacity : 4096;
        while (capacity - used < size) capacity *= 2;
        uint8_t *bytes = malloc(capacity);
        if (!bytes) return NULL;
        if (used > 0) memcpy(bytes, output.bytes + output.start, used);
        free(output.bytes);
        output.bytes = bytes;
        output.capacity = capacity;
        output.start = 0;
        output.end = used;
    }
    uint8_t *place = output.bytes + output.end;
    output.end += size;
    return place;
}

void channel_drop_output(void) {
    output.start = output.end = 0;
    if (output.capacity <= KEEP_CAPACITY) return;
    free(output.bytes);
    output.bytes = NULL;
    output.capacity = 0;
}

bool channel_has_room(void) {
    return connected && output.end - output.start < ROOM_BYTES;
}

void channel_flush(void) {
    while (channel.fd >= 0 && output.start < output.end) {
        ssize_t count = write(channel.fd, output.bytes + output.start, output.end - output.start);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) break; // EAGAIN: the next edge comes when there is room; anything else comes as a hang-up
        output.start += (size_t)count;
    }
    if (output.start == output.end) channel_drop_output();
    // The edge that announced what is still to be read has passed.
    if (paused && output.end - output.start <= PAUSE_BYTES) read_all(is_port());
}

void channel_flush_for(int timeout_ms) {
    int64_t deadline = loop_now_ms() + timeout_ms;
    for (channel_flush(); connected && output.start < output.end; channel_flush()) {
        int64_t left = deadline - loop_now_ms();
        struct pollfd state = {.fd = channel.fd, .events = POLLOUT};
        if (left <= 0 || poll(&state, 1, (int)left) <= 0 || (state.revents & POLLHUP)) return;
    }
}
