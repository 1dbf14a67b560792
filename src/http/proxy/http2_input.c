/*
 * http2_input: see http2_input.h.
 */
#include "http/proxy/http2_input.h"

#include <errno.h>

#include "http/proxy/http2_stream.h"

enum {
    BLOCK_MOST = 65536,                /* bytes of a block of fields */
    FIELDS_MOST = 2 * BLOCK_MOST,      /* and decoded */
};

/* A stream that was begun; others are not the peer's to speak of. */
static bool is_known(const struct http2_peer *p, uint32_t id)
{
    return (id & 1) && id < p->next_id;
}

static bool take_data(struct http2_peer *p, const struct frame *f, struct cursor payload)
{
    struct http2_stream *s = http2_stream_find(p, f->stream);

    if (!is_known(p, f->stream))
        return http2_peer_bad(p, FRAME_PROTOCOL_ERROR, "DATA for no stream");
    if (!frame_unpad(f, &payload))
        return http2_peer_bad(p, FRAME_PROTOCOL_ERROR, "more padding than DATA");
    p->credit += f->length;
    if (p->credit > FRAME_MAX_WINDOW / 2) {
        http2_peer_put_u32(p, FRAME_WINDOW_UPDATE, 0, (uint32_t)p->credit);
        p->credit = 0;
    }
    if (!s || s->ended)
        return true;                           /* one that nobody wants any more */
    s->receive_window -= f->length;
    if (s->receive_window < 0) {
        http2_stream_reset(s, FRAME_FLOW_CONTROL_ERROR);
        return true;
    }
    s->credit += f->length;
    if (cursor_left(&payload))
        http2_stream_put_record(s, HTTP2_RECORD_DATA, cursor_str(&payload, cursor_left(&payload)));
    if (f->flags & FLAG_END_STREAM)
        http2_stream_ends(s);
    else
        http2_stream_grant(s);
    return true;
}

/* The fields of a block as a record's.  0: they are as they should be. */
static enum frame_error take_fields(struct http2_peer *p, struct str block, struct out *record, bool *trailers)
{
    static char space[FIELDS_MOST];
    struct cursor c = cursor_of(block.data, block.len);
    struct out decoded = out_fixed(space, sizeof space);
    struct hpack_field f;
    enum hpack_result result;
    bool bad = false, large = false, regular = false;

    *trailers = true;
    while ((result = hpack_next(&p->decoder, &c, large ? NULL : &decoded, &f)) != HPACK_END) {
        if (result == HPACK_ERROR)
            return FRAME_COMPRESSION_ERROR;
        large |= result == HPACK_TOO_LARGE;
        if (large)
            continue;
        if (f.pseudo)
            *trailers = false;
        bad |= f.flaws || (f.pseudo && (regular || f.pseudo != HPACK_STATUS));
        regular |= !f.pseudo;
        out_u16(record, (uint16_t)f.name.len);
        out_str(record, f.name);
        out_u32(record, (uint32_t)f.value.len);
        out_str(record, f.value);
    }
    return bad || large || record->overflow ? FRAME_PROTOCOL_ERROR : FRAME_NO_ERROR;
}

/* A block of fields is all there. */
static bool block_complete(struct http2_peer *p)
{
    static char record_space[FIELDS_MOST];
    struct out record = out_fixed(record_space, sizeof record_space);
    struct http2_stream *s = http2_stream_find(p, p->block_stream);
    bool trailers;

    enum frame_error error = take_fields(p, byte_queue_str(&p->block), &record, &trailers);
    byte_queue_fini(&p->block);
    p->block_stream = 0;
    if (error == FRAME_COMPRESSION_ERROR)
        return http2_peer_bad(p, error, "fields that can't be decompressed");
    if (!s || s->ended)
        return true;
    if (error || (trailers && !p->block_ends)) {
        http2_stream_reset(s, FRAME_PROTOCOL_ERROR);
        return true;
    }
    http2_stream_put_record(s, trailers ? HTTP2_RECORD_TRAILERS : HTTP2_RECORD_HEAD, out_str_of(&record));
    if (p->block_ends)
        http2_stream_ends(s);
    return true;
}

static bool take_block(struct http2_peer *p, const struct frame *f, struct cursor fragment)
{
    size_t len = cursor_left(&fragment);

    if (byte_queue_len(&p->block) + len > BLOCK_MOST)
        return http2_peer_bad(p, FRAME_ENHANCE_YOUR_CALM, "too large a head");
    if (len && !byte_queue_put(&p->block, fragment.at, len)) {
        p->error = ENOMEM;
        return false;
    }
    return f->flags & FLAG_END_HEADERS ? block_complete(p) : true;
}

static bool take_headers(struct http2_peer *p, const struct frame *f, struct cursor payload)
{
    if (!is_known(p, f->stream))
        return http2_peer_bad(p, FRAME_PROTOCOL_ERROR, "HEADERS for no stream");
    if (!frame_unpad(f, &payload))
        return http2_peer_bad(p, FRAME_PROTOCOL_ERROR, "more padding than HEADERS");
    if (f->flags & FLAG_PRIORITY)
        cursor_take(&payload, 5);
    if (payload.bad)
        return http2_peer_bad(p, FRAME_SIZE_ERROR, "HEADERS that are too short");
    p->block_stream = f->stream;
    p->block_ends = f->flags & FLAG_END_STREAM;
    return take_block(p, f, payload);
}

static bool take_continuation(struct http2_peer *p, const struct frame *f, struct cursor payload)
{
    return take_block(p, f, payload);
}

static bool take_rst_stream(struct http2_peer *p, const struct frame *f, struct cursor payload)
{
    struct http2_stream *s = http2_stream_find(p, f->stream);
    uint32_t code = cursor_u32(&payload);

    if (f->length != 4)
        return http2_peer_bad(p, FRAME_SIZE_ERROR, "RST_STREAM of a wrong size");
    if (!is_known(p, f->stream))
        return http2_peer_bad(p, FRAME_PROTOCOL_ERROR, "RST_STREAM for no stream");
    if (!s)
        return true;
    if (s->ended && code == FRAME_NO_ERROR && !s->reset) {
        s->reset = true;                       /* it wants no more of the request: section 8.1 */
        return true;
    }
    s->link.refused = code == FRAME_REFUSED_STREAM;    /* section 8.7 */
    byte_queue_fini(&s->in);                   /* what it takes back is no response */
    s->ended = false;
    http2_stream_lost(s, ECONNRESET);
    return true;
}

static bool set_window(struct http2_peer *p, uint32_t value)
{
    if (value > FRAME_MAX_WINDOW)
        return http2_peer_bad(p, FRAME_FLOW_CONTROL_ERROR, "too large a window");
    LIST_EACH(node, &p->streams) {
        struct http2_stream *s = CONTAINER(node, struct http2_stream, place);
        s->send_window += (int64_t)value - p->stream_window;
    }
    p->stream_window = value;
    http2_stream_wake_all(p, READY_WRITE);
    return true;
}

static bool take_setting(struct http2_peer *p, unsigned id, uint32_t value)
{
    switch ((enum frame_setting)id) {
    case SETTINGS_MAX_CONCURRENT_STREAMS:
        p->most = value;
        break;
    case SETTINGS_INITIAL_WINDOW_SIZE:
        return set_window(p, value);
    case SETTINGS_MAX_FRAME_SIZE:
        if (value < FRAME_SIZE || value > 0xffffff)
            return http2_peer_bad(p, FRAME_PROTOCOL_ERROR, "a maximum size of frames that is none");
        break;                                 /* ours stay as small as any may be */
    case SETTINGS_HEADER_TABLE_SIZE:
        p->table_said = false;
        break;
    case SETTINGS_ENABLE_CONNECT_PROTOCOL:
        if (value > 1 || (p->tunnels && value == 0))
            return http2_peer_bad(p, FRAME_PROTOCOL_ERROR, "a bad SETTINGS_ENABLE_CONNECT_PROTOCOL");
        p->tunnels = value == 1;
        break;
    default:
        break;
    }
    return true;
}

static bool take_settings(struct http2_peer *p, const struct frame *f, struct cursor payload)
{
    if (f->stream)
        return http2_peer_bad(p, FRAME_PROTOCOL_ERROR, "SETTINGS of a stream");
    if (f->length % 6 || ((f->flags & FLAG_ACK) && f->length))
        return http2_peer_bad(p, FRAME_SIZE_ERROR, "SETTINGS of a wrong size");
    if (f->flags & FLAG_ACK)
        return true;
    while (cursor_left(&payload)) {
        unsigned id = cursor_u16(&payload);
        if (!take_setting(p, id, cursor_u32(&payload)))
            return false;
    }
    p->settled = true;
    http2_stream_wake_all(p, READY_WRITE);     /* there are those that wait for it */
    return http2_peer_put(p, FRAME_SETTINGS, FLAG_ACK, 0, 0) != NULL;
}

static bool take_push(struct http2_peer *p, const struct frame *f, struct cursor payload)
{
    (void)f;
    (void)payload;
    return http2_peer_bad(p, FRAME_PROTOCOL_ERROR, "PUSH_PROMISE, which it was told not to");
}

static bool take_ping(struct http2_peer *p, const struct frame *f, struct cursor payload)
{
    if (f->stream)
        return http2_peer_bad(p, FRAME_PROTOCOL_ERROR, "PING of a stream");
    if (f->length != 8)
        return http2_peer_bad(p, FRAME_SIZE_ERROR, "PING of a wrong size");
    if (f->flags & FLAG_ACK)
        return true;
    char *room = http2_peer_put(p, FRAME_PING, FLAG_ACK, 0, 8);
    if (room)
        memcpy(room, payload.at, 8);
    return room != NULL;
}

static bool take_goaway(struct http2_peer *p, const struct frame *f, struct cursor payload)
{
    uint32_t last = cursor_u32(&payload) & FRAME_MAX_WINDOW;

    cursor_u32(&payload);
    if (f->stream)
        return http2_peer_bad(p, FRAME_PROTOCOL_ERROR, "GOAWAY of a stream");
    if (payload.bad)
        return http2_peer_bad(p, FRAME_SIZE_ERROR, "GOAWAY of a wrong size");
    p->goaway = true;
    LIST_EACH(node, &p->streams) {
        struct http2_stream *s = CONTAINER(node, struct http2_stream, place);
        if (s->id > last || !s->id) {
            s->link.refused = true;
            http2_stream_lost(s, ECONNRESET);
        }
    }
    return true;
}

static bool take_window_update(struct http2_peer *p, const struct frame *f, struct cursor payload)
{
    uint32_t more = cursor_u32(&payload) & FRAME_MAX_WINDOW;
    struct http2_stream *s = f->stream ? http2_stream_find(p, f->stream) : NULL;

    if (f->length != 4)
        return http2_peer_bad(p, FRAME_SIZE_ERROR, "WINDOW_UPDATE of a wrong size");
    if (f->stream && !is_known(p, f->stream))
        return http2_peer_bad(p, FRAME_PROTOCOL_ERROR, "WINDOW_UPDATE for no stream");
    if (f->stream && !s)
        return true;
    int64_t *window = s ? &s->send_window : &p->send_window;
    *window += more;
    if (more == 0 || *window > FRAME_MAX_WINDOW)
        return http2_peer_bad(p, FRAME_FLOW_CONTROL_ERROR, "a WINDOW_UPDATE of nothing, or too much");
    if (s)
        http2_stream_wake(s, READY_WRITE);
    else
        http2_stream_wake_all(p, READY_WRITE);
    return true;
}

static bool (*const takers[])(struct http2_peer *p, const struct frame *f, struct cursor payload) = {
    [FRAME_DATA] = take_data,         [FRAME_HEADERS] = take_headers,
    [FRAME_RST_STREAM] = take_rst_stream, [FRAME_SETTINGS] = take_settings,
    [FRAME_PUSH_PROMISE] = take_push, [FRAME_PING] = take_ping,
    [FRAME_GOAWAY] = take_goaway,     [FRAME_WINDOW_UPDATE] = take_window_update,
    [FRAME_CONTINUATION] = take_continuation,
};

/* The next frame, if it is all there: false when it isn't, or the connection is lost. */
bool http2_input_take(struct http2_peer *p)
{
    struct str in = byte_queue_str(&p->in);

    if (in.len < FRAME_HEAD_SIZE)
        return false;
    struct frame f = frame_head(in.data);
    bool joined = f.type == FRAME_CONTINUATION && f.stream == p->block_stream && f.stream;
    if (f.length > FRAME_SIZE)
        return http2_peer_bad(p, FRAME_SIZE_ERROR, "too large a frame");
    if (p->block_stream ? !joined : f.type == FRAME_CONTINUATION)
        return http2_peer_bad(p, FRAME_PROTOCOL_ERROR, "CONTINUATION where it should not");
    if (!p->settled && f.type != FRAME_SETTINGS)
        return http2_peer_bad(p, FRAME_PROTOCOL_ERROR, "no SETTINGS first");
    if (in.len < FRAME_HEAD_SIZE + f.length)
        return false;
    bool known = f.type < sizeof takers / sizeof takers[0] && takers[f.type];
    bool good = !known || takers[f.type](p, &f, cursor_of(in.data + FRAME_HEAD_SIZE, f.length));
    byte_queue_drop(&p->in, FRAME_HEAD_SIZE + f.length);
    return good && !p->error;
}

