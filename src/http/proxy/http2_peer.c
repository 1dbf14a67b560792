/*
 * http2_peer: see http2_peer.h.
 */
#include "http/proxy/http2_peer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/proxy/http2_input.h"
#include "http/proxy/http2_stream.h"

enum {
    READ_SIZE = 32768,                 /* of one call: more than a frame */
    OUT_MOST = 4 * HTTP2_OUT_ENOUGH,   /* bytes beyond which the peer only makes us talk */
    STREAMS_AT_FIRST = 100,            /* until the peer has said how many it takes */
};

static struct list peers = { &peers, &peers };

/* ---- frames out ---- */

char *http2_peer_put(struct http2_peer *p, enum frame_type type, uint8_t flags, uint32_t stream, size_t len)
{
    char *room = byte_queue_room(&p->out, FRAME_HEAD_SIZE + len);

    if (!room) {
        p->error = ENOMEM;
        return NULL;
    }
    struct out o = out_fixed(room, FRAME_HEAD_SIZE);
    frame_put_head(&o, (uint32_t)len, type, flags, stream);
    byte_queue_added(&p->out, FRAME_HEAD_SIZE + len);
    loop_post(&p->link->connection.watch);
    return room + FRAME_HEAD_SIZE;
}

void http2_peer_put_u32(struct http2_peer *p, enum frame_type type, uint32_t stream, uint32_t value)
{
    char *room = http2_peer_put(p, type, 0, stream, 4);

    if (room) {
        struct out o = out_fixed(room, 4);
        out_u32(&o, value);
    }
}

/* What every connection begins with (section 3.4): that nothing is to be pushed, and that there is room
 * for all that streams may send. */
static void put_preface(struct http2_peer *p)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

    if (!byte_queue_put(&p->out, preface, sizeof preface - 1)) {
        p->error = ENOMEM;
        return;
    }
    char *room = http2_peer_put(p, FRAME_SETTINGS, 0, 0, 6);
    if (!room)
        return;
    struct out o = out_fixed(room, 6);
    out_u16(&o, SETTINGS_ENABLE_PUSH);
    out_u32(&o, 0);
    http2_peer_put_u32(p, FRAME_WINDOW_UPDATE, 0, FRAME_MAX_WINDOW - FRAME_WINDOW);
}

bool http2_peer_bad(struct http2_peer *p, enum frame_error code, const char *what)
{
    char *room = http2_peer_put(p, FRAME_GOAWAY, 0, 0, 8);
    char space[128];
    struct out text = out_fixed(space, sizeof space);

    if (room) {
        struct out o = out_fixed(room, 8);
        out_u32(&o, 0);
        out_u32(&o, (uint32_t)code);
    }
    address_put(&text, &p->address);
    log_note(LOG_LEVEL_ERROR, 0, "upstream %.*s sent %s over HTTP/2: its connection is closed",
             STR_ARG(out_str_of(&text)), what);
    p->error = EPROTO;
    return false;
}

static bool flush(struct http2_peer *p)
{
    bool full = byte_queue_len(&p->out) >= HTTP2_OUT_ENOUGH;

    while (byte_queue_len(&p->out)) {
        ssize_t n = link_send(p->link, byte_queue_str(&p->out), false);
        if (n == IO_AGAIN)
            break;
        if (n < 0) {
            p->error = p->error ? p->error : errno;
            return false;
        }
        byte_queue_drop(&p->out, (size_t)n);
    }
    if (full && byte_queue_len(&p->out) < HTTP2_OUT_ENOUGH)
        http2_stream_wake_all(p, READY_WRITE);
    if (byte_queue_len(&p->out) > OUT_MOST)
        return http2_peer_bad(p, FRAME_ENHANCE_YOUR_CALM, "more questions than it reads answers");
    return true;
}

/* ---- its life ---- */

static void release(struct deferred *d)
{
    free(CONTAINER(d, struct http2_peer, freed));
}

/* Streams that there are learn it by their next call. */
static void peer_close(struct http2_peer *p)
{
    p->closed = true;
    list_remove(&p->place);
    http2_stream_wake_all(p, READY_READ | READY_WRITE);
    link_close(p->link);
    byte_queue_fini(&p->in);
    byte_queue_fini(&p->out);
    byte_queue_fini(&p->block);
    hpack_decoder_fini(&p->decoder);
    if (p->active == 0)
        loop_defer(&p->freed, release);
}

/* Reads what has come: false when it is at its end. */
static bool peer_read(struct http2_peer *p)
{
    for (;;) {
        char *room = byte_queue_room(&p->in, READ_SIZE);
        if (!room) {
            p->error = ENOMEM;
            return false;
        }
        ssize_t n = link_recv(p->link, room, READ_SIZE);
        if (n <= 0) {
            if (byte_queue_len(&p->in) == 0)
                byte_queue_fini(&p->in);       /* none is held while nothing comes */
            if (n == IO_ERROR)
                p->error = errno;
            return n == IO_AGAIN;
        }
        byte_queue_added(&p->in, (size_t)n);
        while (http2_input_take(p))
            continue;
        if (p->error)
            return false;
    }
}

/* Over TLS the peer has to say by ALPN that it speaks HTTP/2 (section 3.2); what does not is heard as it
 * speaks. */
static enum tls_result peer_secure(struct http2_peer *p)
{
    struct tls_fault f;
    enum tls_result result = link_secure(p->link, &f);

    if (result == TLS_FAILED) {
        log_note(LOG_LEVEL_ERROR, f.error, "%s while SSL handshaking to upstream", f.text);
        p->error = f.error ? f.error : EPROTO;
    }
    return result;
}

/* false: the line that the connection begins with is still to be sent, or the connect has failed. */
static bool peer_greet(struct http2_peer *p)
{
    int greeted = link_greet(p->link);

    if (greeted == IO_ERROR)
        p->error = errno;
    return greeted > 0;
}

/* Whether the connection is ready for use, or was lost: then p->error is set. */
static bool peer_connect(struct http2_peer *p)
{
    bool ready;

    if (p->link->greeting && !peer_greet(p))
        return p->error == 0;
    if (p->link->tls) {
        ready = peer_secure(p) == TLS_DONE;
    } else {
        ready = p->link->connection.watch.ready & READY_WRITE;
        if (ready)
            p->error = link_connect_error(p->link);
    }
    if (!ready || p->error)
        return p->error == 0;
    p->connected = p->link->connected = true;
    put_preface(p);
    http2_stream_wake_all(p, READY_WRITE);
    return true;
}

/* Something has happened on the connection, or there are frames to be sent. */
static void peer_run(struct http2_peer *p)
{
    const struct link *l = p->link;
    const struct watch *w = &l->connection.watch;
    bool good = true;

    if (!p->connected)
        good = peer_connect(p);
    if (good && p->connected && (w->ready & READY_READ))
        good = peer_read(p);
    if (p->connected && !flush(p))
        good = false;
    if (p->active == 0 && (l->timed_out || l->drain ||
                           (l->state == LINK_BUSY && byte_queue_len(&p->out) == 0)))
        good = false;                          /* nobody needs it any more */
    if (!good)
        peer_close(p);
    http2_stream_tell(p);
}

static void peer_wake(void *owner)
{
    struct http2_peer *p = owner;

    if (!p->closed)
        peer_run(p);
}

static struct http2_peer *peer_open(const struct http2_want *want)
{
    struct http2_peer *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    p->link = link_open(want->to, want->options, peer_wake, p);
    if (!p->link) {
        free(p);
        return NULL;
    }
    p->group = want->group;
    p->key = want->key;
    p->address = *want->to;
    p->keepalive = *want->keepalive;
    p->idle = want->idle;
    p->next_id = 1;
    p->most = STREAMS_AT_FIRST;
    p->send_window = p->stream_window = FRAME_WINDOW;
    list_init(&p->streams);
    list_init(&p->waiting);
    hpack_decoder_init(&p->decoder, HPACK_TABLE_SIZE);
    list_push(&peers, &p->place);
    return p;
}

static bool is_alike(const struct http2_peer *p, uint32_t group, uint32_t key, const struct address *to)
{
    return p->group == group && p->key == key && address_eq(&p->address, to);
}

/* Whether it may serve more than what it serves now. */
static bool may_serve(const struct http2_peer *p)
{
    const struct keepalive_conf *conf = &p->keepalive;
    const struct link *l = p->link;

    return !p->goaway && !p->error && !l->drain && conf->connections && conf->timeout &&
           p->next_id < FRAME_MAX_WINDOW && l->requests < conf->requests &&
           clock_ms() - l->start_ms < conf->time;
}

struct http2_peer *http2_peer_find(const struct http2_want *want)
{
    LIST_EACH(node, &peers) {
        struct http2_peer *p = CONTAINER(node, struct http2_peer, place);
        if (!want->fresh && is_alike(p, want->group, want->key, want->to) && p->active < p->most &&
            may_serve(p))
            return p;
    }
    return peer_open(want);
}

void http2_peer_join(struct http2_peer *p, struct list *place)
{
    struct link *l = p->link;

    list_push(&p->streams, place);
    l->requests++;
    p->active++;
    if (l->state != LINK_IDLE)
        return;
    l->state = LINK_BUSY;
    connection_set_idle(&l->connection, false);
    timer_cancel(&l->connection.timer);
}

/* Whether the group has as many idle ones as it may. */
static bool enough_idle(const struct http2_peer *p)
{
    unsigned count = 0;

    LIST_EACH(node, &peers) {
        const struct http2_peer *other = CONTAINER(node, struct http2_peer, place);
        count += other->group == p->group && other->link->state == LINK_IDLE;
    }
    return count >= p->keepalive.connections;
}

void http2_peer_leave(struct http2_peer *p, struct list *place)
{
    struct link *l = p->link;

    list_remove(place);
    if (--p->active)
        return;
    if (p->closed) {
        loop_defer(&p->freed, release);
    } else if (!p->idle || !may_serve(p) || enough_idle(p)) {
        loop_post(&l->connection.watch);       /* it closes, when all is said */
    } else {
        l->state = LINK_IDLE;
        connection_set_idle(&l->connection, true);
        timer_set(&l->connection.timer, p->keepalive.timeout);
    }
}
