/*
 * frame: the frames of HTTP/2 (RFC 9113 section 4 and 6), as both sides of Weir use them: towards
 * clients (v2) and towards peers (proxy/http2_peer).
 */
#ifndef HTTP_V2_FRAME_H
#define HTTP_V2_FRAME_H

#include "base/cursor.h"
#include "base/out.h"

enum frame_type {
    FRAME_DATA = 0,
    FRAME_HEADERS = 1,
    FRAME_PRIORITY = 2,
    FRAME_RST_STREAM = 3,
    FRAME_SETTINGS = 4,
    FRAME_PUSH_PROMISE = 5,
    FRAME_PING = 6,
    FRAME_GOAWAY = 7,
    FRAME_WINDOW_UPDATE = 8,
    FRAME_CONTINUATION = 9,
    FRAME_PRIORITY_UPDATE = 16,        /* RFC 9218 section 7.1 */
};

enum frame_flag {
    FLAG_END_STREAM = 0x1,
    FLAG_ACK = 0x1,
    FLAG_END_HEADERS = 0x4,
    FLAG_PADDED = 0x8,
    FLAG_PRIORITY = 0x20,
};

enum frame_setting {
    SETTINGS_HEADER_TABLE_SIZE = 1,
    SETTINGS_ENABLE_PUSH = 2,
    SETTINGS_MAX_CONCURRENT_STREAMS = 3,
    SETTINGS_INITIAL_WINDOW_SIZE = 4,
    SETTINGS_MAX_FRAME_SIZE = 5,
    SETTINGS_MAX_HEADER_LIST_SIZE = 6,
    SETTINGS_ENABLE_CONNECT_PROTOCOL = 8,      /* RFC 8441 */
    SETTINGS_NO_RFC7540_PRIORITIES = 9,        /* RFC 9218 */
};

/* Section 7. */
enum frame_error {
    FRAME_NO_ERROR = 0,
    FRAME_PROTOCOL_ERROR = 1,
    FRAME_INTERNAL_ERROR = 2,
    FRAME_FLOW_CONTROL_ERROR = 3,
    FRAME_SETTINGS_TIMEOUT = 4,
    FRAME_STREAM_CLOSED = 5,
    FRAME_SIZE_ERROR = 6,
    FRAME_REFUSED_STREAM = 7,
    FRAME_CANCEL = 8,
    FRAME_COMPRESSION_ERROR = 9,
    FRAME_CONNECT_ERROR = 10,
    FRAME_ENHANCE_YOUR_CALM = 11,
    FRAME_INADEQUATE_SECURITY = 12,
    FRAME_HTTP_1_1_REQUIRED = 13,
};

enum {
    FRAME_HEAD_SIZE = 9,
    FRAME_SIZE = 16384,                /* of a payload, unless SETTINGS_MAX_FRAME_SIZE says more */
    FRAME_WINDOW = 65535,              /* that every stream and connection begins with */
    FRAME_MAX_WINDOW = 0x7fffffff,
};

struct frame {
    uint32_t length;                   /* of the payload */
    uint8_t type, flags;
    uint32_t stream;
};

/* FRAME_HEAD_SIZE bytes. */
static inline struct frame frame_head(const char *bytes)
{
    struct cursor c = cursor_of(bytes, FRAME_HEAD_SIZE);
    struct frame f = { .length = cursor_u24(&c) };

    f.type = cursor_u8(&c);
    f.flags = cursor_u8(&c);
    f.stream = cursor_u32(&c) & FRAME_MAX_WINDOW;      /* the first bit is reserved */
    return f;
}

static inline void frame_put_head(struct out *o, uint32_t length, enum frame_type type, uint8_t flags,
                                  uint32_t stream)
{
    out_u24(o, length);
    out_u8(o, (uint8_t)type);
    out_u8(o, flags);
    out_u32(o, stream);
}

/* Takes padding off the payload of DATA, HEADERS or PUSH_PROMISE (section 6.1).  false: there is more of it
 * than there is payload, a PROTOCOL_ERROR. */
static inline bool frame_unpad(const struct frame *f, struct cursor *payload)
{
    size_t pad = f->flags & FLAG_PADDED ? cursor_u8(payload) : 0;

    if (payload->bad || pad > cursor_left(payload))
        return false;
    payload->end -= pad;
    return true;
}

#endif
