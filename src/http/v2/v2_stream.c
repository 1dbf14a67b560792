/*
 * v2_stream: streams, as requests see them (their wire) and as the connection sees them: found by
 * number, run when they have something to do, and let send in the order of their priorities.
 */
#include <errno.h>

#include "http/core.h"
#include "http/v2/v2_output.h"

enum {
    RESETS = 128,                      /* streams remembered as reset by us */
    OWED_MS = 20,                      /* for the client to see a response before its stream is reset */
};

/* ---- the table ---- */

static struct v2_stream **bucket_of(struct v2 *v, uint32_t id)
{
    return &v->buckets[id / 2 % V2_BUCKETS];
}

struct v2_stream *v2_stream_find(const struct v2 *v, uint32_t id)
{
    struct v2_stream *s = v->buckets[id / 2 % V2_BUCKETS];

    while (s && s->id != id)
        s = s->next;
    return s;
}

static void remove_stream(struct v2_stream *s)
{
    struct v2_stream **at = bucket_of(s->v2, s->id);

    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    list_remove(&s->all);
    list_remove(&s->run);
    list_remove(&s->place);
    timer_cancel(&s->timer);
    s->v2->live--;
}

static void on_timeout(struct timer *t)
{
    struct v2_stream *s = CONTAINER(t, struct v2_stream, timer);

    if (!s->waits)
        return;
    s->waits = false;
    s->request->timed_out = true;
    v2_stream_wake(s);
}

struct v2_stream *v2_stream_new(struct v2 *v, uint32_t id)
{
    struct client *c = v->client;
    struct request *r = request_new(c, &v2_wire);

    if (!r)
        return NULL;
    struct v2_stream *s = ARENA_NEW(&r->arena, struct v2_stream);
    r->wire_state = s;
    r->version = VERSION_20;
    s->request = r;
    s->v2 = v;
    s->id = id;
    s->window = v->initial_window;
    s->target = (uint32_t)v2_conf(r->conf)->preread_size;
    s->receive_window = s->target;
    /* Until somebody says something of priorities they share. */
    s->priority = (struct v2_priority){ .urgency = V2_URGENCY, .incremental = true };
    timer_init(&s->timer, on_timeout);
    list_init(&s->run);
    list_init(&s->place);
    list_push(&v->streams, &s->all);
    struct v2_stream **at = bucket_of(v, id);
    s->next = *at;
    *at = s;
    v->live++;
    client_count_request(c, r);
    return s;
}

/* ---- resets ---- */

bool v2_was_reset(const struct v2 *v, uint32_t id)
{
    unsigned known = v->reset_count < RESETS ? v->reset_count : RESETS;

    for (unsigned i = 0; i < known; i++) {
        if (v->resets[i] == id)
            return true;
    }
    /* Of those before the oldest that is known nobody knows. */
    return v->reset_count > RESETS && id < v->resets[v->reset_count % RESETS];
}

static void remember_reset(struct v2 *v, uint32_t id)
{
    if (!v->resets && !(v->resets = malloc(RESETS * sizeof *v->resets)))
        return;
    v->resets[v->reset_count++ % RESETS] = id;
}

static void put_reset(struct v2 *v, uint32_t id, enum frame_error code)
{
    char payload[4];
    struct out o = out_fixed(payload, sizeof payload);

    out_u32(&o, code);
    v2_output_control(v, FRAME_RST_STREAM, 0, id, out_str_of(&o));
}

void v2_reset(struct v2 *v, uint32_t id, enum frame_error code)
{
    put_reset(v, id, code);
    remember_reset(v, id);
}

/* The response is complete, the request is not, and nobody wants the rest (section 8.1).  The reset comes
 * a moment later: there are clients that take no response from a stream that is reset. */
static void owe_reset(struct v2 *v, uint32_t id)
{
    remember_reset(v, id);
    if (v->owed_count == sizeof v->owed / sizeof v->owed[0]) {
        put_reset(v, id, FRAME_NO_ERROR);
        return;
    }
    v->owed[v->owed_count++] = id;
    if (!timer_armed(&v->owed_timer))
        timer_set(&v->owed_timer, OWED_MS);
}

void v2_forget_owed(struct v2 *v, uint32_t id)
{
    for (unsigned i = 0; i < v->owed_count; i++) {
        if (v->owed[i] == id)
            v->owed[i] = v->owed[--v->owed_count];
    }
}

void v2_reset_owed(struct timer *t)
{
    struct v2 *v = CONTAINER(t, struct v2, owed_timer);

    while (v->owed_count && !v->lost)
        put_reset(v, v->owed[--v->owed_count], FRAME_NO_ERROR);
    client_wake(v->client);
}

void v2_stream_fail(struct v2_stream *s, enum frame_error code, const char *why)
{
    if (s->gone)
        return;
    request_log(s->request, LOG_LEVEL_INFO, 0, "stream %u is reset: %s", s->id, why);
    if (!v2_charge(s->v2, V2_COST_RESET))
        return;
    v2_reset(s->v2, s->id, code);
    s->gone = true;
    v2_stream_wake(s);
}

/* ---- the body from the peer ---- */

static void window_update(struct v2 *v, uint32_t id, uint32_t bytes)
{
    char payload[4];
    struct out o = out_fixed(payload, sizeof payload);

    out_u32(&o, bytes);
    v2_output_control(v, FRAME_WINDOW_UPDATE, 0, id, out_str_of(&o));
}

void v2_credit(struct v2 *v, struct v2_stream *s, size_t bytes)
{
    if (v->lost || v->closing)
        return;
    v->consumed += (uint32_t)bytes;
    if (v->consumed >= V2_WINDOW / 2) {
        window_update(v, 0, v->consumed);
        v->receive_window += v->consumed;
        v->consumed = 0;
    }
    if (!s || s->in_closed || s->gone)
        return;
    s->consumed += (uint32_t)bytes;
    if (s->consumed > s->target / 2) {
        window_update(v, s->id, s->consumed);
        s->receive_window += s->consumed;
        s->consumed = 0;
    }
}

bool v2_stream_take(struct v2_stream *s, struct str data)
{
    while (data.len) {
        if (!s->body_last || buffer_room(s->body_last) == 0) {
            struct buffer *b = buffer_new(BUFFER_SIZE);
            if (!b)
                return false;
            if (s->body_last)
                s->body_last->next = b;
            else
                s->body = b;
            s->body_last = b;
        }
        size_t n = buffer_room(s->body_last) < data.len ? buffer_room(s->body_last) : data.len;
        memcpy(s->body_last->end, data.data, n);
        s->body_last->end += n;
        data = str_from(data, n);
    }
    return true;
}

void v2_stream_end_body(struct v2_stream *s)
{
    const struct request *r = s->request;

    s->in_closed = true;
    if (r->content_length >= 0 && s->received < (uint64_t)r->content_length)
        s->bad_body = true;
}

/* What came of the body and nobody has read. */
static void drop_body(struct v2_stream *s)
{
    size_t bytes = 0;

    for (struct buffer *b = s->body, *next; b; b = next) {
        next = b->next;
        bytes += buffer_len(b);
        buffer_free(b);
    }
    s->body = s->body_last = NULL;
    if (bytes)
        v2_credit(s->v2, NULL, bytes);
}

/* Copies what has come, as much as fits. */
static size_t read_buffers(struct v2_stream *s, char *space, size_t size)
{
    size_t done = 0;

    while (s->body && done < size) {
        struct buffer *b = s->body;
        size_t n = buffer_len(b) < size - done ? buffer_len(b) : size - done;
        memcpy(space + done, b->at, n);
        b->at += n;
        done += n;
        if (buffer_len(b))
            break;
        s->body = b->next;
        if (!s->body)
            s->body_last = NULL;
        buffer_free(b);
    }
    return done;
}

/* Somebody reads: the peer need not stop and wait for each piece.  The connection's window bounds it; a
 * tunnel, which may stand still for hours, does not fill that up. */
static void widen(struct v2_stream *s, uint32_t target)
{
    uint32_t more = target - s->target;

    s->target = target;
    if (s->in_closed || s->v2->closing || s->v2->lost)
        return;
    window_update(s->v2, s->id, more);
    s->receive_window += more;
}

static ssize_t read_body(struct request *r, char *space, size_t size)
{
    struct v2_stream *s = v2_stream_of(r);
    uint32_t target = r->flags.tunnel ? V2_TUNNEL_WINDOW : V2_WINDOW;

    if (s->gone) {
        errno = 0;
        return IO_ERROR;
    }
    if (s->bad_body) {
        request_log(r, LOG_LEVEL_INFO, 0, s->in_closed
                        ? "client prematurely closed stream: its body is shorter than declared"
                        : "client intended to send body data larger than declared");
        return -STATUS_BAD_REQUEST;
    }
    if (s->target < target)
        widen(s, target);
    size_t n = read_buffers(s, space, size);
    if (n) {
        v2_credit(s->v2, s, n);
        return (ssize_t)n;
    }
    bool all = r->content_length >= 0 && s->received == (uint64_t)r->content_length;
    return s->in_closed || all ? 0 : IO_AGAIN;
}

/* ---- the wire of a request ---- */

void v2_stream_wake(struct v2_stream *s)
{
    struct v2 *v = s->v2;

    if (list_empty(&s->run))
        list_push(&v->run, &s->run);
    if (!v->running)
        client_wake(v->client);
}

static void stream_wait(struct request *r, uint64_t ms)
{
    struct v2_stream *s = v2_stream_of(r);

    s->waits = true;
    timer_set(&s->timer, ms);
}

static void stream_wait_no_more(struct request *r)
{
    v2_stream_of(r)->waits = false;
}

static void stream_wake(struct request *r)
{
    v2_stream_wake(v2_stream_of(r));
}

static bool stream_gone(const struct request *r)
{
    return v2_stream_of(r)->gone;
}

/* What says that a stream has been broken off; of tunnels section 8.5, and RFC 8441 section 5. */
static enum frame_error end_code(const struct request *r)
{
    if (r->flags.tunnel)
        return r->flags.extended ? FRAME_CANCEL : FRAME_CONNECT_ERROR;
    return r->timed_out ? FRAME_PROTOCOL_ERROR : FRAME_INTERNAL_ERROR;
}

/* Section 8.1: a stream whose response is complete, and whose request is not, is closed by a reset. */
static void close_stream(struct v2_stream *s)
{
    struct v2 *v = s->v2;
    bool broken = !s->out_closed || (s->request->flags.tunnel && !s->in_closed);

    if (s->out_closed)
        v2_earn(v, V2_WORTH_RESPONSE);
    if (s->gone || v->closing || v->lost)
        return;
    if (broken)
        v2_reset(v, s->id, end_code(s->request));
    else if (!s->in_closed)
        owe_reset(v, s->id);
}

static bool stream_blocked(const struct request *r)
{
    const struct v2_stream *s = v2_stream_of(r);

    return s->window <= 0 || s->v2->window <= 0 || v2_output_blocked(s->v2);
}

static void stream_leave(struct request *r)
{
    struct v2_stream *s = v2_stream_of(r);

    list_remove(&s->place);
    close_stream(s);
    s->gone = true;
}

static void stream_ended(struct request *r, enum client_after after)
{
    struct v2_stream *s = v2_stream_of(r);
    struct v2 *v = s->v2;

    (void)after;
    close_stream(s);
    drop_body(s);
    remove_stream(s);
    if (!v->running)
        client_wake(v->client);
}

const struct wire v2_wire = {
    .name = "HTTP/2",
    .send = v2_send,
    .read_body = read_body,
    .interim = v2_interim,
    .wait = stream_wait,
    .wait_no_more = stream_wait_no_more,
    .wake = stream_wake,
    .gone = stream_gone,
    .blocked = stream_blocked,
    .leave = stream_leave,
    .ended = stream_ended,
    .half_closes = true,
};

/* ---- whose turn it is ---- */

/* Who may send next, if the connection has room and window. */
static struct v2_stream *next_sender(struct v2 *v)
{
    bool heads = !list_empty(&v->heads);

    if (v->lost || (!heads && (v->window <= 0 || v->turn_bytes >= V2_TURN_BYTES)))
        return NULL;
    if ((!heads && !v2_streams_wait(v)) || !v2_output_has_room(v, V2_BODY_ROOM))
        return NULL;
    if (heads)
        return CONTAINER(list_pop(&v->heads), struct v2_stream, place);
    for (unsigned i = 0; i < V2_URGENCIES; i++) {
        if (!list_empty(&v->waiting[i]))
            return CONTAINER(list_pop(&v->waiting[i]), struct v2_stream, place);
    }
    return NULL;
}

/* One that the peer took back before it was begun costs next to nothing. */
static void run(struct v2_stream *s)
{
    struct request *r = s->request;

    if (s->gone && !s->started) {
        r->response.status = STATUS_CLIENT_CLOSED;
        request_end(r, CLIENT_DROP);
        return;
    }
    s->started = true;
    request_run(r);
}

void v2_stream_cancel(struct v2_stream *s)
{
    s->gone = true;
    list_remove(&s->run);
    run(s);
}

void v2_streams_run(struct v2 *v)
{
    struct list now;
    struct list *node;
    struct v2_stream *s;

    list_init(&now);
    while ((node = list_pop(&v->run)))         /* who wakes itself has its turn in the next round */
        list_push(&now, node);
    while ((node = list_pop(&now)))
        run(CONTAINER(node, struct v2_stream, run));
    while ((s = next_sender(v))) {
        s->turn = true;
        run(s);
    }
}
