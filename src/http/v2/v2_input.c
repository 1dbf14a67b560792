/*
 * v2_input: bytes to frames, and what each type of frame means (RFC 9113 section 6).  All connections
 * read into one space; what is left of a frame whose end has not come is kept by its connection.  DATA
 * alone is taken as it comes.
 */
#include <errno.h>

#include "http/core.h"
#include "http/v2/v2_output.h"

static char *space;
static size_t space_size;

void v2_input_fini(void)
{
    free(space);
    space = NULL;
    space_size = 0;
}

/* ---- DATA ---- */

/* Whether we have ended that stream, or never begun it, and the peer need not have known (section 5.1). */
static bool was_refused(const struct v2 *v, uint32_t id)
{
    return v2_was_reset(v, id) || (v->goaway == V2_FINAL && id > v->goaway_id);
}

/* A frame of a stream that is closed.  What was on its way when we reset it is no mistake. */
static void on_closed(struct v2 *v, const struct frame *f)
{
    if (f->stream > v->last_id)
        v2_fail(v, FRAME_PROTOCOL_ERROR, "a frame of a stream that was never opened");
    else if (!was_refused(v, f->stream))
        v2_fail(v, FRAME_STREAM_CLOSED, "a frame of a stream that is closed");
}

/* What the frame's length means for the windows (section 6.9.1).  false: it is too much. */
static bool count_data(struct v2 *v, struct v2_stream *s, const struct frame *f)
{
    v->receive_window -= f->length;
    if (v->receive_window < 0) {
        v2_fail(v, FRAME_FLOW_CONTROL_ERROR, "more than the connection's window");
        return false;
    }
    if (!s || s->gone)
        return true;
    s->receive_window -= f->length;
    s->request->received += f->length;
    if (s->in_closed)
        v2_stream_fail(s, FRAME_STREAM_CLOSED, "DATA behind the end of the body");
    else if (s->receive_window < 0)
        v2_stream_fail(s, FRAME_FLOW_CONTROL_ERROR, "more than the stream's window");
    return true;
}

/* The frame's payload, padding apart, has come. */
static void end_data(struct v2 *v)
{
    struct v2_stream *s = v2_stream_find(v, v->data_stream);

    if (!s || s->gone || !(v->data_flags & FLAG_END_STREAM))
        return;
    v2_stream_end_body(s);
    v2_stream_wake(s);
}

/* The head of a DATA frame, and its pad length.  How many bytes were used; 0: more must come. */
static size_t begin_data(struct v2 *v, const struct frame *f, const char *at, size_t len)
{
    struct v2_stream *s = v2_stream_find(v, f->stream);
    bool padded = (f->flags & FLAG_PADDED) != 0;
    size_t head = FRAME_HEAD_SIZE + (padded ? 1U : 0U);

    if (padded && f->length && len < head)
        return 0;
    unsigned pad = padded && f->length ? (unsigned char)at[FRAME_HEAD_SIZE] : 0;
    if (f->stream == 0 || (padded && pad >= f->length)) {
        v2_fail(v, FRAME_PROTOCOL_ERROR, "a bad DATA frame");
        return head;
    }
    if (!s)
        on_closed(v, f);
    if (f->flags & FLAG_END_STREAM)
        v2_forget_owed(v, f->stream);
    if (v->closing || !count_data(v, s, f))
        return head;
    v->data_stream = f->stream;
    v->data_flags = f->flags;
    v->pad_left = (uint8_t)pad;
    v->data_left = f->length - pad - (padded ? 1U : 0U);
    if (f->length > v->data_left)
        v2_credit(v, s, f->length - v->data_left);
    if (v->data_left == 0) {
        end_data(v);
        if (!(f->flags & FLAG_END_STREAM))
            v2_charge(v, V2_COST_EMPTY);
    }
    return head;
}

/* Some of a DATA frame's bytes. */
static void take_bytes(struct v2 *v, struct str bytes)
{
    struct v2_stream *s = v2_stream_find(v, v->data_stream);
    const struct request *r = s ? s->request : NULL;

    if (!s || s->gone) {
        v2_credit(v, NULL, bytes.len);
        return;
    }
    s->received += bytes.len;
    if (r->content_length >= 0 && s->received > (uint64_t)r->content_length) {
        s->bad_body = true;
        v2_credit(v, s, bytes.len);
    } else if (!v2_stream_take(s, bytes)) {
        v2_credit(v, NULL, bytes.len);
        v2_stream_fail(s, FRAME_INTERNAL_ERROR, "memory is short");
    }
    v2_stream_wake(s);
}

static size_t take_data(struct v2 *v, const char *at, size_t len)
{
    size_t n;

    if (v->data_left == 0) {
        n = v->pad_left < len ? v->pad_left : len;
        v->pad_left = (uint8_t)(v->pad_left - n);
        return n;
    }
    n = v->data_left < len ? v->data_left : len;
    v->data_left -= (uint32_t)n;
    if (n)
        take_bytes(v, (struct str){ at, n });
    if (v->data_left == 0)
        end_data(v);
    return n;
}

/* ---- HEADERS, CONTINUATION ---- */

/* What of HEADERS is for priorities: RFC 9113 section 5.3.2 has no more use for it. */
static bool skip_priority(struct v2 *v, const struct frame *f, struct cursor *payload)
{
    uint32_t dependency = cursor_u32(payload) & FRAME_MAX_WINDOW;

    cursor_u8(payload);
    if (payload->bad)
        v2_fail(v, FRAME_SIZE_ERROR, "a short HEADERS frame");
    else if (dependency == f->stream)
        v2_fail(v, FRAME_PROTOCOL_ERROR, "a stream that depends on itself");
    return !v->closing;
}

/* Puts the pieces of a block together, as much of it as a head may have. */
static void gather(struct v2 *v, struct cursor *payload)
{
    const struct http_listen *l = v->client->listener->spec->object;
    const struct bufs *large =
        &server_conf(l->default_server->root.conf)->large_client_header_buffers;
    struct v2_block *b = &v->block;
    size_t n = cursor_left(payload);

    if (b->len + n > large->count * large->size + V2_FRAME_SIZE) {
        v2_fail(v, FRAME_ENHANCE_YOUR_CALM, "a head that is too large");
        return;
    }
    if (b->len + n > b->room) {
        size_t room = b->len + n > 2 * b->room ? b->len + n : 2 * b->room;
        char *data = realloc(b->data, room);
        if (!data) {
            v2_fail(v, FRAME_INTERNAL_ERROR, "memory is short");
            return;
        }
        b->data = data;
        b->room = room;
    }
    if (n)
        memcpy(b->data + b->len, payload->at, n);
    b->len += n;
}

static void on_headers(struct v2 *v, const struct frame *f, struct cursor *payload)
{
    if (f->stream % 2 == 0 || (f->stream <= v->last_id && !v2_stream_find(v, f->stream) &&
                               !was_refused(v, f->stream))) {
        v2_fail(v, FRAME_PROTOCOL_ERROR, "HEADERS of a stream that can't be opened");
        return;
    }
    if (!frame_unpad(f, payload)) {
        v2_fail(v, FRAME_PROTOCOL_ERROR, "more padding than there is payload");
        return;
    }
    if ((f->flags & FLAG_PRIORITY) && !skip_priority(v, f, payload))
        return;
    if (f->flags & FLAG_END_HEADERS) {
        v2_head_complete(v, f->stream, f->flags, payload);
        return;
    }
    v->block.stream = f->stream;
    v->block.flags = f->flags;
    v->block.len = 0;
    if (cursor_left(payload) == 0 && !v2_charge(v, V2_COST_EMPTY))
        return;
    gather(v, payload);
}

static void on_continuation(struct v2 *v, const struct frame *f, struct cursor *payload)
{
    struct v2_block *b = &v->block;

    if (!b->stream) {
        v2_fail(v, FRAME_PROTOCOL_ERROR, "CONTINUATION without HEADERS");
        return;
    }
    if (!v2_charge(v, cursor_left(payload) ? V2_COST_SMALL : V2_COST_EMPTY))
        return;
    gather(v, payload);
    if (v->closing || !(f->flags & FLAG_END_HEADERS))
        return;
    struct cursor block = cursor_of(b->data, b->len);
    uint32_t id = b->stream;
    b->stream = 0;
    v2_head_complete(v, id, b->flags, &block);
    free(b->data);
    *b = (struct v2_block){ 0 };
}

/* The beginning of a frame's block has come: what can't become a good one is told at once. */
static void look_ahead(struct v2 *v, const struct frame *f, struct str begun)
{
    struct cursor block = cursor_of(begun.data, begun.len);

    if (f->type != FRAME_HEADERS || f->flags & FLAG_PADDED)
        return;
    if (f->flags & FLAG_PRIORITY)
        cursor_take(&block, 5);
    if (!hpack_may_be_good(block))
        v2_fail(v, FRAME_COMPRESSION_ERROR, "a bad header block");
}

/* ---- the others ---- */

static void on_priority(struct v2 *v, const struct frame *f, struct cursor *payload)
{
    if (f->stream == 0)
        v2_fail(v, FRAME_PROTOCOL_ERROR, "PRIORITY of no stream");
    else if (f->length != 5) {
        struct v2_stream *s = v2_stream_find(v, f->stream);
        if (s)
            v2_stream_fail(s, FRAME_SIZE_ERROR, "a PRIORITY frame of a wrong size");
        else
            v2_fail(v, FRAME_SIZE_ERROR, "a PRIORITY frame of a wrong size");
    } else if ((cursor_u32(payload) & FRAME_MAX_WINDOW) == f->stream)
        v2_fail(v, FRAME_PROTOCOL_ERROR, "a stream that depends on itself");
    else
        v2_charge(v, V2_COST_SMALL);
}

static void on_rst_stream(struct v2 *v, const struct frame *f, struct cursor *payload)
{
    struct v2_stream *s = v2_stream_find(v, f->stream);

    if (f->length != 4)
        v2_fail(v, FRAME_SIZE_ERROR, "RST_STREAM of a wrong size");
    else if (f->stream == 0 || f->stream > v->last_id)
        v2_fail(v, FRAME_PROTOCOL_ERROR, "RST_STREAM of no stream");
    else if (!s)
        v2_forget_owed(v, f->stream);
    if (!v->closing && v2_charge(v, V2_COST_RESET) && s && !s->gone) {
        request_log(s->request, LOG_LEVEL_INFO, 0, "client canceled stream %u with error %u", s->id,
                    cursor_u32(payload));
        v2_stream_cancel(s);
    }
}

/* SETTINGS_INITIAL_WINDOW_SIZE counts for open streams, too (section 6.9.2). */
static void change_windows(struct v2 *v, uint32_t initial)
{
    int64_t more = (int64_t)initial - v->initial_window;

    v->initial_window = initial;
    LIST_EACH(node, &v->streams) {
        struct v2_stream *s = CONTAINER(node, struct v2_stream, all);
        bool shut = s->window <= 0;
        s->window += more;
        if (s->window > FRAME_MAX_WINDOW) {
            v2_fail(v, FRAME_FLOW_CONTROL_ERROR, "a window over its limit");
            return;
        }
        if (shut && s->window > 0)
            v2_stream_wake(s);
    }
}

static void take_setting(struct v2 *v, unsigned name, uint32_t value)
{
    switch (name) {
    case SETTINGS_HEADER_TABLE_SIZE:
        hpack_encoder_resize(&v->encoder, value);
        break;
    case SETTINGS_ENABLE_PUSH:
        if (value > 1)
            v2_fail(v, FRAME_PROTOCOL_ERROR, "a bad SETTINGS_ENABLE_PUSH");
        break;
    case SETTINGS_INITIAL_WINDOW_SIZE:
        if (value > FRAME_MAX_WINDOW)
            v2_fail(v, FRAME_FLOW_CONTROL_ERROR, "a bad SETTINGS_INITIAL_WINDOW_SIZE");
        else
            change_windows(v, value);
        break;
    case SETTINGS_MAX_FRAME_SIZE:
        if (value < FRAME_SIZE || value > 0xffffff)
            v2_fail(v, FRAME_PROTOCOL_ERROR, "a bad SETTINGS_MAX_FRAME_SIZE");
        else
            v->frame_size = value;
        break;
    case SETTINGS_NO_RFC7540_PRIORITIES:
        if (value > 1)
            v2_fail(v, FRAME_PROTOCOL_ERROR, "a bad SETTINGS_NO_RFC7540_PRIORITIES");
        break;
    default:
        break;
    }
}

static void on_settings(struct v2 *v, const struct frame *f, struct cursor *payload)
{
    bool ack = (f->flags & FLAG_ACK) != 0;

    if (f->stream)
        v2_fail(v, FRAME_PROTOCOL_ERROR, "SETTINGS of a stream");
    else if (ack ? f->length != 0 : f->length % 6 != 0)
        v2_fail(v, FRAME_SIZE_ERROR, "SETTINGS of a wrong size");
    int cost = ack ? V2_COST_SMALL : V2_COST_SETTINGS + (int)f->length / 6 * V2_COST_SMALL;
    if (v->closing || !v2_charge(v, cost) || ack)
        return;
    while (!v->closing && cursor_left(payload)) {
        unsigned name = cursor_u16(payload);
        take_setting(v, name, cursor_u32(payload));
    }
    if (!v->closing)
        v2_output_control(v, FRAME_SETTINGS, FLAG_ACK, 0, STR(""));
}

static void on_ping(struct v2 *v, const struct frame *f, struct cursor *payload)
{
    if (f->stream)
        v2_fail(v, FRAME_PROTOCOL_ERROR, "PING of a stream");
    else if (f->length != 8)
        v2_fail(v, FRAME_SIZE_ERROR, "PING of a wrong size");
    else if (!(f->flags & FLAG_ACK)) {
        if (v2_charge(v, V2_COST_PING))
            v2_output_control(v, FRAME_PING, FLAG_ACK, 0, cursor_str(payload, 8));
    } else if (v2_charge(v, V2_COST_SMALL) && v->goaway == V2_ANNOUNCED)
        v2_settle_end(v);                      /* all that was sent before it knew of the end is here */
}

static void on_goaway(struct v2 *v, const struct frame *f, struct cursor *payload)
{
    if (f->stream)
        v2_fail(v, FRAME_PROTOCOL_ERROR, "GOAWAY of a stream");
    else if (f->length < 8)
        v2_fail(v, FRAME_SIZE_ERROR, "GOAWAY of a wrong size");
    else
        v2_charge(v, V2_COST_PING);            /* the client closes when it has all it wants */
    (void)payload;
}

static void on_window_update(struct v2 *v, const struct frame *f, struct cursor *payload)
{
    struct v2_stream *s = v2_stream_find(v, f->stream);
    uint32_t more = cursor_u32(payload) & FRAME_MAX_WINDOW;
    int64_t *window = s ? &s->window : &v->window;
    bool shut = *window <= 0;

    if (f->length != 4)
        v2_fail(v, FRAME_SIZE_ERROR, "WINDOW_UPDATE of a wrong size");
    else if (f->stream > v->last_id)
        v2_fail(v, FRAME_PROTOCOL_ERROR, "WINDOW_UPDATE of no stream");
    if (v->closing || !v2_charge(v, V2_COST_SMALL) || (f->stream && !s))
        return;
    if (more == 0 || *window + more > FRAME_MAX_WINDOW) {
        enum frame_error code = more ? FRAME_FLOW_CONTROL_ERROR : FRAME_PROTOCOL_ERROR;
        if (s)
            v2_stream_fail(s, code, "a bad WINDOW_UPDATE");
        else
            v2_fail(v, code, "a bad WINDOW_UPDATE");
        return;
    }
    *window += more;
    if (s && shut && *window > 0)
        v2_stream_wake(s);
}

/* RFC 9218 section 7.1. */
static void on_priority_update(struct v2 *v, const struct frame *f, struct cursor *payload)
{
    uint32_t id = cursor_u32(payload) & FRAME_MAX_WINDOW;
    struct v2_stream *s = v2_stream_find(v, id);

    if (payload->bad)
        v2_fail(v, FRAME_SIZE_ERROR, "PRIORITY_UPDATE of a wrong size");
    else if (f->stream || id % 2 == 0)
        v2_fail(v, FRAME_PROTOCOL_ERROR, "a bad PRIORITY_UPDATE");
    else if (v2_charge(v, V2_COST_SMALL)) {
        struct str value = cursor_str(payload, cursor_left(payload));
        if (s)
            v2_prioritize(s, value);
        else if (id > v->last_id)
            v2_priority_early(v, id, value);
    }
}

typedef void frame_handler(struct v2 *v, const struct frame *f, struct cursor *payload);

static frame_handler *const handlers[] = {
    [FRAME_HEADERS] = on_headers,
    [FRAME_PRIORITY] = on_priority,
    [FRAME_RST_STREAM] = on_rst_stream,
    [FRAME_SETTINGS] = on_settings,
    [FRAME_PING] = on_ping,
    [FRAME_GOAWAY] = on_goaway,
    [FRAME_WINDOW_UPDATE] = on_window_update,
    [FRAME_CONTINUATION] = on_continuation,
    [FRAME_PRIORITY_UPDATE] = on_priority_update,
};

/* ---- frames ---- */

/* Whether a frame may stand here at all. */
static bool in_place(struct v2 *v, const struct frame *f)
{
    if (f->length > V2_FRAME_SIZE)
        v2_fail(v, FRAME_SIZE_ERROR, "a frame that is too large");
    else if (f->type == FRAME_PUSH_PROMISE)
        v2_fail(v, FRAME_PROTOCOL_ERROR, "PUSH_PROMISE from a client");
    else if (v->block.stream && (f->type != FRAME_CONTINUATION || f->stream != v->block.stream))
        v2_fail(v, FRAME_PROTOCOL_ERROR, "another frame where CONTINUATION was due");
    else if (!v->settings_seen && f->type != FRAME_SETTINGS && f->type != FRAME_WINDOW_UPDATE)
        v2_fail(v, FRAME_PROTOCOL_ERROR, "another frame where SETTINGS were due");
    v->settings_seen = true;
    return !v->closing;
}

/* How many bytes were used; 0: more must come. */
static size_t take_frame(struct v2 *v, const char *at, size_t len)
{
    if (len < FRAME_HEAD_SIZE)
        return 0;
    struct frame f = frame_head(at);
    if (!in_place(v, &f))
        return len;
    if (f.type == FRAME_DATA)
        return begin_data(v, &f, at, len);
    if (len < FRAME_HEAD_SIZE + f.length) {
        if (!v->rest)
            look_ahead(v, &f, (struct str){ at + FRAME_HEAD_SIZE, len - FRAME_HEAD_SIZE });
        return 0;
    }
    struct cursor payload = cursor_of(at + FRAME_HEAD_SIZE, f.length);
    if (f.type < sizeof handlers / sizeof handlers[0] && handlers[f.type])
        handlers[f.type](v, &f, &payload);
    else                                       /* section 5.5 */
        v2_charge(v, V2_COST_SMALL);
    return FRAME_HEAD_SIZE + f.length;
}

static size_t take_preface(struct v2 *v, const char *at, size_t len)
{
    size_t n = v->preface_left < len ? v->preface_left : len;

    if (memcmp(at, &V2_PREFACE[sizeof V2_PREFACE - 1 - v->preface_left], n) != 0) {
        v2_fail(v, FRAME_PROTOCOL_ERROR, "a bad preface");
        return len;
    }
    v->preface_left = (uint8_t)(v->preface_left - n);
    return n;
}

/* Takes what is whole; gives how many bytes that was. */
static size_t take(struct v2 *v, const char *data, size_t len)
{
    size_t used = 0, n = 1;

    while (!v->closing && !v->lost && n && used < len) {
        const char *at = data + used;
        if (v->preface_left)
            n = take_preface(v, at, len - used);
        else if (v->data_left || v->pad_left)
            n = take_data(v, at, len - used);
        else
            n = take_frame(v, at, len - used);
        used += n;
    }
    return v->closing || v->lost ? len : used;
}

/* ---- bytes ---- */

static bool have_space(const struct v2 *v, size_t kept)
{
    const struct http_listen *l = v->client->listener->spec->object;
    size_t size = v2_conf(l->default_server->root.conf)->recv_buffer_size + 2 * V2_FRAME_SIZE + kept;

    if (space_size >= size)
        return true;
    char *larger = realloc(space, size);
    if (!larger)
        return false;
    space = larger;
    space_size = size;
    return true;
}

/* Keeps the beginning of a frame until its end comes. */
static void keep(struct v2 *v, struct str bytes)
{
    if (v->rest && (bytes.len == 0 || v->rest->size < bytes.len)) {
        buffer_free(v->rest);
        v->rest = NULL;
    }
    if (bytes.len == 0)
        return;
    if (!v->rest && !(v->rest = buffer_new(bytes.len))) {
        v2_fail(v, FRAME_INTERNAL_ERROR, "memory is short");
        return;
    }
    v->rest->at = v->rest->data;
    v->rest->end = v->rest->data + bytes.len;
    memcpy(v->rest->data, bytes.data, bytes.len);
}

static void lost(struct v2 *v, ssize_t n)
{
    if (n < 0)
        client_log(v->client, LOG_LEVEL_INFO, errno, "reading from client failed");
    else if (v->live)
        client_log(v->client, LOG_LEVEL_INFO, 0, "client prematurely closed connection");
    v2_lose(v);
}

bool v2_input(struct v2 *v)
{
    struct client *c = v->client;
    size_t kept = v->rest ? buffer_len(v->rest) : 0;
    ssize_t n = 0;

    if (!v->unread && !(c->connection.watch.ready & READY_READ))
        return false;
    if (!have_space(v, kept)) {
        v2_fail(v, FRAME_INTERNAL_ERROR, "memory is short");
        return false;
    }
    if (kept)
        memcpy(space, v->rest->at, kept);
    if (!v->unread) {
        n = client_recv(c, space + kept, space_size - kept);
        if (n == IO_AGAIN)
            return false;
        if (n <= 0) {
            lost(v, n);
            return false;
        }
    }
    v->unread = false;
    v->moved = true;
    size_t len = kept + (size_t)n, used = take(v, space, len);
    keep(v, (struct str){ space + used, len - used });
    return true;
}
