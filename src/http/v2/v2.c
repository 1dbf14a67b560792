/*
 * v2: see v2.h.  The life of a connection: how it begins, what a turn does, and how it ends.
 */
#include "http/v2/v2.h"

#include <errno.h>

#include "base/os.h"
#include "http/core.h"
#include "http/http.h"
#include "http/v2/v2_output.h"

enum {
    ROUNDS = 16,                       /* of a turn, before others get theirs */
    ANNOUNCED_MS = 1000,               /* how long new streams are taken after the end was announced */
    UNSENT = 65536,                    /* bytes that an urgent response may find in front of it */
};

static const char drain_ping[8] = { 'w', 'e', 'i', 'r', 'd', 'o', 'n', 'e' };

static void **conf_of(const struct v2 *v)
{
    const struct http_listen *l = v->client->listener->spec->object;

    return l->default_server->root.conf;
}

bool v2_enabled(void *const *conf, const struct http_listen *l)
{
    return l->http2 || v2_conf(conf)->on;
}

/* ---- beginning ---- */

static void put_setting(struct out *o, enum frame_setting name, uint32_t value)
{
    out_u16(o, (uint16_t)name);
    out_u32(o, value);
}

static void greet(struct v2 *v)
{
    const struct v2_conf *conf = v2_conf(conf_of(v));
    char payload[32], window[4];
    struct out o = out_fixed(payload, sizeof payload), w = out_fixed(window, sizeof window);

    put_setting(&o, SETTINGS_MAX_CONCURRENT_STREAMS, conf->max_streams);
    put_setting(&o, SETTINGS_INITIAL_WINDOW_SIZE, (uint32_t)conf->preread_size);
    put_setting(&o, SETTINGS_MAX_FRAME_SIZE, V2_FRAME_SIZE);
    put_setting(&o, SETTINGS_ENABLE_CONNECT_PROTOCOL, 1);
    put_setting(&o, SETTINGS_NO_RFC7540_PRIORITIES, 1);
    v2_output_control(v, FRAME_SETTINGS, 0, 0, out_str_of(&o));
    out_u32(&w, V2_WINDOW - FRAME_WINDOW);
    v2_output_control(v, FRAME_WINDOW_UPDATE, 0, 0, out_str_of(&w));
}

bool v2_begin(struct client *c)
{
    struct v2 *v = calloc(1, sizeof *v);

    if (!v)
        return false;
    v->client = c;
    v->rest = c->in;
    v->unread = c->in != NULL;
    c->in = NULL;
    c->v2 = v;
    hpack_decoder_init(&v->decoder, HPACK_TABLE_SIZE);
    hpack_encoder_init(&v->encoder);
    list_init(&v->streams);
    list_init(&v->run);
    list_init(&v->heads);
    for (unsigned i = 0; i < V2_URGENCIES; i++)
        list_init(&v->waiting[i]);
    v->preface_left = sizeof V2_PREFACE - 1;
    v->window = v->initial_window = FRAME_WINDOW;
    v->receive_window = V2_WINDOW;
    v->frame_size = FRAME_SIZE;
    v2_budget_init(v);
    timer_init(&v->owed_timer, v2_reset_owed);
    client_set_state(c, CLIENT_V2_IDLE);
    client_set_nodelay(c, core_conf(conf_of(v)));
    os_bound_unsent(c->connection.watch.fd, UNSENT);
    greet(v);
    return true;
}

enum v2_preface v2_look(struct client *c)
{
    struct str preface = STR(V2_PREFACE);

    for (;;) {
        struct str text = { c->in->at, buffer_len(c->in) };
        if (text.len > preface.len)
            text.len = preface.len;
        if (!str_starts(preface, text))
            return V2_NO_PREFACE;
        if (text.len == preface.len)
            return v2_begin(c) ? V2_BEGUN : V2_NO_PREFACE;
        ssize_t n = client_recv(c, c->in->end, buffer_room(c->in));
        if (n == IO_AGAIN)
            return V2_PREFACE_MORE;
        if (n <= 0)
            return V2_NO_PREFACE;
        c->in->end += n;
    }
}

/* ---- ending ---- */

void v2_free(struct client *c)
{
    struct v2 *v = c->v2;

    if (!v)
        return;
    c->v2 = NULL;
    v2_output_drop(v);
    if (v->rest)
        buffer_free(v->rest);
    timer_cancel(&v->owed_timer);
    free(v->block.data);
    free(v->resets);
    hpack_decoder_fini(&v->decoder);
    hpack_encoder_fini(&v->encoder);
    free(v);
}

void v2_worker_fini(void)
{
    v2_input_fini();
    v2_output_fini();
}

static void goaway(struct v2 *v, uint32_t last, enum frame_error code)
{
    char payload[8];
    struct out o = out_fixed(payload, sizeof payload);

    out_u32(&o, last);
    out_u32(&o, code);
    v2_output_control(v, FRAME_GOAWAY, 0, 0, out_str_of(&o));
}

void v2_fail(struct v2 *v, enum frame_error code, const char *why)
{
    if (v->closing || v->lost)
        return;
    client_log(v->client, LOG_LEVEL_INFO, 0, "client's HTTP/2 connection is closed with error %u: %s",
               code, why);
    goaway(v, v->last_id, code);
    v->closing = true;
}

void v2_lose(struct v2 *v)
{
    if (v->lost)
        return;
    v->lost = true;
    v2_output_drop(v);
    LIST_EACH(node, &v->streams) {
        struct v2_stream *s = CONTAINER(node, struct v2_stream, all);
        s->gone = true;
        v2_stream_wake(s);
    }
}

void v2_settle_end(struct v2 *v)
{
    if (v->goaway == V2_FINAL)
        return;
    v->goaway = V2_FINAL;
    v->goaway_id = v->last_id;
    goaway(v, v->goaway_id, FRAME_NO_ERROR);
}

void v2_announce_end(struct v2 *v)
{
    bool known = v->goaway == V2_ANNOUNCED && clock_ms() - v->announced_ms >= ANNOUNCED_MS;

    if (known || v->preface_left)
        v2_settle_end(v);
    if (v->goaway != V2_OPEN || v->closing)
        return;
    v->goaway = V2_ANNOUNCED;
    v->announced_ms = clock_ms();
    goaway(v, FRAME_MAX_WINDOW, FRAME_NO_ERROR);
    v2_output_control(v, FRAME_PING, 0, 0, (struct str){ drain_ping, sizeof drain_ping });
}

static void end_streams(struct v2 *v)
{
    while (!list_empty(&v->streams)) {
        struct v2_stream *s = CONTAINER(v->streams.next, struct v2_stream, all);
        request_end(s->request, CLIENT_DROP);
    }
}

/* The connection is of no more use: closed, where the peer may be sending still after it was read
 * away. */
static void leave(struct v2 *v)
{
    struct client *c = v->client;
    bool lost = v->lost, sending = v->closing || v->moved || v->timer != V2_TIMER_IDLE;

    v2_output_drop(v);
    v->lost = true;                            /* streams end without a word */
    end_streams(v);
    v2_free(c);
    if (lost)
        client_close(c);
    else
        client_finish(c, core_conf(((const struct http_listen *)c->listener->spec->object)
                                       ->default_server->root.conf), sending);
}

void v2_abort(struct client *c)
{
    struct v2 *v = c->v2;

    v->running = true;
    v2_settle_end(v);
    v2_output_flush(v);
    v->lost = true;
    v2_output_drop(v);
    end_streams(v);
    v2_free(c);
    client_close(c);
}

/* ---- a turn ---- */

static void set_timer(struct v2 *v, enum v2_timer kind, uint64_t ms, bool again)
{
    if (v->timer == kind && !again)
        return;
    v->timer = kind;
    timer_set(&v->client->connection.timer, ms);
}

/* What the connection waits for, and for how long. */
static void watch_time(struct v2 *v)
{
    void *const *conf = conf_of(v);
    const struct core_conf *core = core_conf(conf);
    bool begun = v->rest || v->block.stream || v->preface_left;

    if (v->lost)
        v->timer = V2_TIMER_NONE;              /* streams that go on have timers of their own */
    else if (v2_output_blocked(v))
        set_timer(v, V2_TIMER_SEND, core->send_timeout, v->moved);
    else if (begun && !v->late)
        set_timer(v, V2_TIMER_FRAME, server_conf(conf)->client_header_timeout, false);
    else if (v->goaway == V2_ANNOUNCED)
        set_timer(v, V2_TIMER_END, ANNOUNCED_MS, false);
    else if (v->live == 0)
        set_timer(v, V2_TIMER_IDLE, v->client->requests || v->late
                                        ? core->keepalive_timeout.timeout
                                        : server_conf(conf)->client_header_timeout,
                  v->moved && !begun);         /* bytes of a head that is late count for nothing */
    else
        v->timer = V2_TIMER_NONE;
}

static void become(struct client *c, enum client_state state)
{
    if (c->state != state)
        client_set_state(c, state);
}

/* Nothing more can be done in this turn: what becomes of the connection.  false: it has left. */
static bool settle(struct v2 *v)
{
    struct client *c = v->client;

    if (v->goaway == V2_ANNOUNCED || c->drain || c->listener->removed)
        v2_announce_end(v);
    if (!v->lost && !v2_output_flush(v))
        v2_lose(v);
    if (v->closing || (v->live == 0 && (v->lost || (v->goaway == V2_FINAL && !v2_output_blocked(v))))) {
        leave(v);
        return false;
    }
    become(c, v->live ? CLIENT_V2 : CLIENT_V2_IDLE);
    watch_time(v);
    if (v->timer == V2_TIMER_IDLE)
        client_now_idle(c);
    return true;
}

static bool has_work(const struct v2 *v)
{
    if (!list_empty(&v->run))
        return true;
    return !v->lost && !v2_output_blocked(v) &&
           (!list_empty(&v->heads) || (v->window > 0 && v2_streams_wait(v)));
}

bool v2_run(struct client *c)
{
    struct v2 *v = c->v2;
    bool more = false;

    client_now_busy(c);                        /* not closed for want of room by its own requests */
    v->running = true;
    v->moved = false;
    v->turn_bytes = 0;
    for (unsigned n = 0; n < ROUNDS; n++) {
        more = !v->closing && !v->lost && v2_input(v);
        if (v->closing)
            break;
        v2_streams_run(v);
        if (!v->lost && !v2_output_flush(v))
            v2_lose(v);
        if (!more && !has_work(v))
            break;
        if (v->turn_bytes >= V2_TURN_BYTES)
            break;
    }
    if (!settle(v))
        return true;
    v->running = false;
    if (more || has_work(v))
        client_wake(c);
    return false;
}

/* ---- events other than bytes ---- */

/* A head that began to come does not end.  The first time its stream alone is refused. */
static void frame_is_late(struct v2 *v)
{
    uint32_t stream = v->block.stream;

    if (!stream && v->rest && buffer_len(v->rest) >= FRAME_HEAD_SIZE) {
        struct frame f = frame_head(v->rest->at);
        stream = f.type == FRAME_HEADERS && f.stream > v->last_id ? f.stream : 0;
    }
    if (!stream || v->preface_left) {
        v2_settle_end(v);
        v->closing = true;
        return;
    }
    client_log(v->client, LOG_LEVEL_INFO, ETIMEDOUT, "client timed out while sending a request's head");
    v->late = stream;
    v2_reset(v, stream, FRAME_PROTOCOL_ERROR);
    v->timer = V2_TIMER_NONE;
}

void v2_timeout(struct client *c)
{
    struct v2 *v = c->v2;

    v->running = true;
    switch (v->timer) {
    case V2_TIMER_SEND:
        client_log(c, LOG_LEVEL_INFO, ETIMEDOUT, "client timed out while responses were sent");
        v2_lose(v);
        break;
    case V2_TIMER_FRAME:
        frame_is_late(v);
        break;
    case V2_TIMER_END:
        v2_settle_end(v);
        break;
    case V2_TIMER_IDLE:
        v2_announce_end(v);
        break;
    case V2_TIMER_NONE:
        break;
    }
    v2_run(c);
}

void v2_drain(struct client *c)
{
    client_wake(c);
}

const void *v2_pin(const struct client *c)
{
    const struct v2 *v = c->v2;

    if (list_empty(&v->streams))
        return c->accepted;
    return CONTAINER(v->streams.next, struct v2_stream, all)->request->generation;
}
