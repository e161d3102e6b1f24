#include "system/personalize.h"

#include "base/settings.h"
#include "system/interfaces.h"

#include <fcntl.h>
#include <linux/random.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

enum { ENTROPY_MIN_BYTES = 32, ENTROPY_MAX_BYTES = 512, MAC_SIZE = 6, INTERFACES_LIMIT = 16 };

#ifndef RNDRESEEDCRNG
#define RNDRESEEDCRNG _IO('R', 0x07)
#endif

// Opened before the snapshot: in a clone the way to the device would cost more than what is done there.
static int random_device = -1;

void personalize_open(void) {
    random_device = open("/dev/urandom", O_WRONLY | O_CLOEXEC);
}

// Mixed in and credited, then used at once: without the second step the generator would go on as in every other clone.
static int seed(struct span entropy) {
    // The kernel's struct rand_pool_info: credited bits, bytes, then the bytes themselves.
    struct { int bits, size; uint8_t bytes[ENTROPY_MAX_BYTES]; } pool = {(int)entropy.size * 8, (int)entropy.size, {0}};
    memcpy(pool.bytes, entropy.data, entropy.size);
    int error = ioctl(random_device, RNDADDENTROPY, &pool) < 0 || ioctl(random_device, RNDRESEEDCRNG) < 0 ? -errno : 0;
    explicit_bzero(&pool, sizeof pool);
    return error;
}

static int set_clock(uint64_t nanoseconds) {
    struct timespec now = {.tv_sec = (time_t)(nanoseconds / 1000000000), .tv_nsec = (long)(nanoseconds % 1000000000)};
    return clock_settime(CLOCK_REALTIME, &now) < 0 ? -errno : 0;
}

static int check(const message(PersonalizeRequest) *request, struct failure *why) {
    if (request->entropy.size < ENTROPY_MIN_BYTES || request->entropy.size > ENTROPY_MAX_BYTES) {
        return fail(why, STATUS_INVALID_ARGUMENT, "entropy must have 32 to 512 bytes, not %zu", request->entropy.size);
    }
    if (request->interfaces_count > INTERFACES_LIMIT) return fail(why, STATUS_INVALID_ARGUMENT, "too many interfaces");
    for (size_t i = 0; i < request->interfaces_count; i++) {
        if (request->interfaces[i].mac.size != MAC_SIZE) return fail(why, STATUS_INVALID_ARGUMENT, "a MAC address has 6 bytes");
    }
    return 0;
}

int personalize(const message(PersonalizeRequest) *request, struct failure *why) {
    const char *hostname = text_or_empty(request->hostname);
    int error = check(request, why);
    if (error || settings.is_test) return error;
    error = seed(request->entropy);
    if (error) return fail_errno(why, error, "cannot seed the random number generator");
    error = request->realtime_nanoseconds ? set_clock(request->realtime_nanoseconds) : 0;
    if (error) return fail_errno(why, error, "cannot set the clock");
    if (hostname[0] && sethostname(hostname, strlen(hostname)) < 0) return fail_errno(why, errno, "cannot set the host name");
    // With one made before the snapshot there is nothing to do; a machine that booted has none yet.
    error = interfaces_set_aside();
    if (error) return fail_errno(why, error, "cannot make a network namespace");
    for (size_t i = 0; i < request->interfaces_count; i++) {
        const char *name = text_or_empty(request->interfaces[i].name);
        error = interfaces_fetch(i, name, request->interfaces[i].mac.data);
        if (error) return fail_errno(why, error, "cannot give the sandbox the interface %.16s", name);
    }
    return 0;
}
