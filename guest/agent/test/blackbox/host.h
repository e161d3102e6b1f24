// A host: sessions with the agent, and calls.
#pragma once

#include "../support.h"
#include "protocol/marker.h"

#define CALL(Method, Request, Response, request, response) \
    receive_response(send_request(Method, message_fields(Request), request), message_fields(Response), response)

struct answer {
    uint8_t *payload; // of the frame, to be freed
    struct frame frame;
};

// Connects anew, takes the offer and accepts it.
void begin_session(void);
// The same in steps.
void dial(void);
void read_offer(uint8_t nonce[NONCE_SIZE]);
void accept_offer(const uint8_t nonce[NONCE_SIZE]);

void send_exactly(const void *data, size_t size);
// The next bytes, which stay unread.
void peek_exactly(uint8_t *out, size_t size);
// Whether the agent has sent nothing for a while.
bool host_is_silent(void);

// Returns the stream of the call.
uint32_t send_request(const char *method, const pb_msgdesc_t *fields, const void *request);
struct answer receive_frame(void);
// Returns the status code; decodes the response of a call that went well.
uint32_t receive_response(uint32_t stream, const pb_msgdesc_t *fields, void *response);
// The next call gets this stream.
void continue_with_stream(uint32_t stream);
