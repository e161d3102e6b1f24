#include "protocol/session.h"

#include "base/base.h"
#include "protocol/channel.h"

#include <string.h>
#include <sys/random.h>

#ifndef GRND_INSECURE
#define GRND_INSECURE 0x0004
#endif

static struct session_events handle;
static bool in_session;
static bool ending;        // the answer that ends the session is still to be queued
static uint8_t offered_nonce[NONCE_SIZE];
static struct marker_search accept_search;
static struct frame_reader reader;

// A nonce need not be secret, only fresh; getrandom must not wait for entropy early in the boot.
static void choose_nonce(void) {
    uint8_t accept[MARKER_SIZE];
    ssize_t count = getrandom(offered_nonce, NONCE_SIZE, GRND_INSECURE);
    (void)count; // cannot fail for so few bytes; the old nonce would serve
    marker_write_accept(accept, offered_nonce);
    marker_search_begin(&accept_search, accept);
}

static void send_offer(void) {
    uint8_t *place = channel_reserve(MARKER_SIZE);
    if (place) marker_write_offer(place, offered_nonce);
}

static void begin_to_wait(void) {
    in_session = false;
    frame_reader_reset(&reader);
    handle.ended();
}

void session_announce_waiting(void) {
    if (!in_session && !channel_is_connected()) log_line("waiting");
}

static void host_connected(void) {
    if (in_session) return;
    channel_drop_output();
    send_offer();
}

static void host_hung_up(void) {
    if (in_session) {
        begin_to_wait();
        choose_nonce();
    }
    session_announce_waiting();
}

// A host that breaks the rules is treated as one that has gone, except that it may still read the offer.
static void break_off(const char *why) {
    log_line("session ended: %s", why);
    begin_to_wait();
    choose_nonce();
    channel_drop_output();
    send_offer();
}

static size_t receive_waiting(const uint8_t *data, size_t size) {
    size_t used = marker_search_feed(&accept_search, data, size);
    if (accept_search.matched == MARKER_SIZE) {
        in_session = true;
        channel_drop_output(); // an offer that was not yet written is of no use now
    }
    return used;
}

static size_t receive_frame(const uint8_t *data, size_t size) {
    size_t used = 0;
    bool complete = false;
    int error = frame_reader_feed(&reader, data, size, &used, &complete);
    if (error == 0 && complete) error = handle.received(&reader.frame);
    if (error) {
        break_off(error == -EPROTO ? "the host broke the protocol" : strerror(-error));
        return size;
    }
    if (complete) frame_reader_reset(&reader);
    if (ending) {
        ending = false;
        begin_to_wait();
        send_offer();
    }
    return used;
}

static void host_received(const uint8_t *data, size_t size) {
    for (size_t done = 0; done < size;) {
        done += in_session ? receive_frame(data + done, size - done) : receive_waiting(data + done, size - done);
    }
}

int session_open(int channel_fd, const struct session_events *events) {
    static const struct channel_events channel = {host_connected, host_hung_up, host_received};
    handle = *events;
    choose_nonce();
    int error = channel_fd >= 0 ? channel_open_fd(channel_fd, &channel) : channel_open_port(&channel);
    if (error) return error;
    if (channel_is_connected()) send_offer();
    return 0;
}

bool session_is_open(void) {
    return in_session;
}

void session_end_and_wait(uint8_t nonce[NONCE_SIZE]) {
    choose_nonce();
    memcpy(nonce, offered_nonce, NONCE_SIZE);
    ending = true;
}

uint8_t *session_send(uint32_t stream, enum frame_type type, uint8_t flags, size_t length) {
    uint8_t *place = channel_reserve(FRAME_HEADER_SIZE + length);
    if (!place) return NULL;
    frame_write_header(place, (uint32_t)length, stream, type, flags);
    return place + FRAME_HEADER_SIZE;
}
