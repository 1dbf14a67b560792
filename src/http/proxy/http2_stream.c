/*
 * http2_stream: see http2_stream.h.  What has come waits in a queue, whose length the stream's window
 * bounds; what is to go is framed at once into the connection's, as far as the peer's windows allow.
 */
#include "http/proxy/http2_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { CREDIT_LEAST = FRAME_WINDOW / 2 };      /* bytes that a WINDOW_UPDATE is worth while for */

static struct http2_stream *stream_of(struct connection *c)
{
    return (struct http2_stream *)(void *)c;
}

/* ---- for the connection ---- */

struct http2_stream *http2_stream_find(const struct http2_peer *p, uint32_t id)
{
    LIST_EACH(node, &p->streams) {
        struct http2_stream *s = CONTAINER(node, struct http2_stream, place);
        if (s->id == id)
            return s;
    }
    return NULL;
}

void http2_stream_wake(struct http2_stream *s, unsigned ready)
{
    s->link.connection.watch.ready |= (uint8_t)ready;
    if (list_empty(&s->news))
        list_push(&s->peer->waiting, &s->news);
}

void http2_stream_wake_all(struct http2_peer *p, unsigned ready)
{
    LIST_EACH(node, &p->streams)
        http2_stream_wake(CONTAINER(node, struct http2_stream, place), ready);
}

void http2_stream_tell(struct http2_peer *p)
{
    struct list *node;

    while ((node = list_pop(&p->waiting)) != NULL) {
        struct http2_stream *s = CONTAINER(node, struct http2_stream, news);
        s->link.wake(s->link.owner);
    }
}

void http2_stream_put_record(struct http2_stream *s, enum http2_record type, struct str data)
{
    char *room = byte_queue_room(&s->in, HTTP2_RECORD_SIZE + data.len);

    if (!room) {
        http2_stream_lost(s, ENOMEM);
        return;
    }
    struct out o = out_fixed(room, HTTP2_RECORD_SIZE + data.len);
    out_u8(&o, (uint8_t)type);
    out_u32(&o, (uint32_t)data.len);
    out_str(&o, data);
    byte_queue_added(&s->in, out_len(&o));
    http2_stream_wake(s, READY_READ);
}

void http2_stream_ends(struct http2_stream *s)
{
    http2_stream_put_record(s, HTTP2_RECORD_END, STR(""));
    s->ended = true;
}

void http2_stream_lost(struct http2_stream *s, int error)
{
    if (!s->ended)
        s->error = error;
    s->sent = s->ended = true;
    http2_stream_wake(s, READY_READ | READY_WRITE);
}

void http2_stream_reset(struct http2_stream *s, enum frame_error code)
{
    http2_peer_put_u32(s->peer, FRAME_RST_STREAM, s->id, (uint32_t)code);
    http2_stream_lost(s, EPROTO);
}

void http2_stream_grant(struct http2_stream *s)
{
    if (s->credit < CREDIT_LEAST || byte_queue_len(&s->in) > CREDIT_LEAST || s->ended || s->peer->closed)
        return;
    http2_peer_put_u32(s->peer, FRAME_WINDOW_UPDATE, s->id, (uint32_t)s->credit);
    s->receive_window += (int64_t)s->credit;
    s->credit = 0;
}

/* ---- the request ---- */

void http2_stream_put_start(char start[HTTP2_START_SIZE], size_t block, uint64_t body)
{
    struct out o = out_fixed(start, HTTP2_START_SIZE);

    out_u32(&o, (uint32_t)block);
    out_u64(&o, body);
}

/* A block of fields as HEADERS and, if it must be, CONTINUATION. */
static void put_block(struct http2_stream *s, struct str block)
{
    struct http2_peer *p = s->peer;
    enum frame_type type = FRAME_HEADERS;
    uint8_t flags = s->sent ? FLAG_END_STREAM : 0;

    do {
        size_t update = p->table_said ? 0 : 1;
        size_t len = block.len < FRAME_SIZE - update ? block.len : FRAME_SIZE - update;
        if (len == block.len)
            flags |= FLAG_END_HEADERS;
        char *room = http2_peer_put(p, type, flags, s->id, len + update);
        if (!room)
            return;
        if (update)
            *room = 0x20;                      /* a table of no bytes: RFC 7541 section 6.3 */
        p->table_said = true;
        memcpy(room + update, block.data, len);
        block = str_from(block, len);
        type = FRAME_CONTINUATION;
        flags = 0;
    } while (block.len);
}

/* The request's start and fields stand at the front of its first span, whole: the bytes of them; 0: the
 * stream can't be begun so, or not yet. */
static size_t send_start(struct http2_stream *s, const struct iovec *first)
{
    struct cursor c = cursor_of(first->iov_base, first->iov_len);
    uint32_t len = cursor_u32(&c);

    s->body_left = cursor_u64(&c);
    if (s->body_left == HTTP2_TUNNEL) {
        if (s->peer->settled && !s->peer->tunnels)
            s->error = EPROTONOSUPPORT;
        if (!s->peer->tunnels)
            return 0;
        s->body_left = HTTP2_UNKNOWN;
    }
    s->id = s->peer->next_id;
    s->peer->next_id += 2;
    s->send_window = s->peer->stream_window;
    s->sent = s->body_left == 0;
    put_block(s, cursor_str(&c, len));
    return HTTP2_START_SIZE + len;
}

/* How many bytes of the body may go now. */
static size_t send_room(const struct http2_stream *s)
{
    const struct http2_peer *p = s->peer;
    int64_t window = s->send_window < p->send_window ? s->send_window : p->send_window;
    size_t queued = byte_queue_len(&p->out);
    size_t room = queued < HTTP2_OUT_ENOUGH ? HTTP2_OUT_ENOUGH - queued : 0;

    if (window <= 0)
        return 0;
    if (room > (uint64_t)window)
        room = (size_t)window;
    return room < s->body_left ? room : (size_t)s->body_left;
}

static size_t send_bytes(struct http2_stream *s, struct str data)
{
    struct http2_peer *p = s->peer;
    size_t sent = 0;

    while (sent < data.len) {
        size_t room = send_room(s), n = data.len - sent;
        n = n < room ? n : room;
        n = n < FRAME_SIZE ? n : FRAME_SIZE;
        if (n == 0)
            break;
        if (s->body_left != HTTP2_UNKNOWN)
            s->body_left -= n;
        s->sent = s->body_left == 0;
        char *space = http2_peer_put(p, FRAME_DATA, s->sent ? FLAG_END_STREAM : 0, s->id, n);
        if (!space)
            break;
        s->send_window -= (int64_t)n;
        p->send_window -= (int64_t)n;
        memcpy(space, data.data + sent, n);
        sent += n;
    }
    return sent;
}

/* The stream's or connection's end, or that the user has to wait. */
static ssize_t stalled(struct http2_stream *s, enum ready bit)
{
    const struct http2_peer *p = s->peer;

    if (s->error || p->error || (p->closed && !s->ended)) {
        errno = s->error ? s->error : p->error ? p->error : ECONNRESET;
        return IO_ERROR;
    }
    s->link.connection.watch.ready &= (uint8_t)~bit;
    return IO_AGAIN;
}

static bool may_send(const struct http2_stream *s)
{
    const struct http2_peer *p = s->peer;

    return p->connected && !p->closed && !p->error && !s->sent &&
           (s->id || (p->next_id < FRAME_MAX_WINDOW && byte_queue_len(&p->out) < HTTP2_OUT_ENOUGH));
}

static ssize_t stream_sendv(struct connection *c, const struct iovec *iov, int parts, bool more)
{
    struct http2_stream *s = stream_of(c);
    size_t sent = 0, skip = 0;

    (void)more;
    if (!may_send(s))
        return stalled(s, READY_WRITE);
    if (!s->id)
        sent = skip = send_start(s, iov);
    if (!s->id)
        return stalled(s, READY_WRITE);
    for (int i = 0; i < parts; i++) {
        struct str data = str_from((struct str){ iov[i].iov_base, iov[i].iov_len }, skip);
        size_t n = send_bytes(s, data);
        sent += n;
        skip = 0;
        if (n < data.len)
            break;
    }
    return sent ? (ssize_t)sent : stalled(s, READY_WRITE);
}

static ssize_t stream_sendfile(struct connection *c, int file, off_t *offset, size_t size)
{
    struct http2_stream *s = stream_of(c);
    char space[FRAME_SIZE];
    size_t room = may_send(s) ? send_room(s) : 0;

    size = size < room ? size : room;
    size = size < sizeof space ? size : sizeof space;
    if (size == 0)
        return stalled(s, READY_WRITE);
    ssize_t n = pread(file, space, size, *offset);
    if (n <= 0)
        return n < 0 ? IO_ERROR : 0;
    n = (ssize_t)send_bytes(s, (struct str){ space, (size_t)n });
    *offset += n;
    return n ? n : stalled(s, READY_WRITE);
}

void http2_stream_finish(struct link *l, struct str trailers)
{
    struct http2_stream *s = stream_of(&l->connection);

    if (s->sent || !s->id || s->peer->closed)
        return;
    s->sent = true;
    if (trailers.len)
        put_block(s, trailers);
    else
        http2_peer_put(s->peer, FRAME_DATA, FLAG_END_STREAM, s->id, 0);
}

/* ---- the response ---- */

static ssize_t stream_recv(struct connection *c, void *buffer, size_t size)
{
    struct http2_stream *s = stream_of(c);
    size_t n = byte_queue_len(&s->in);

    if (n == 0) {
        if (!s->error && !s->peer->error && (s->ended || s->peer->closed))
            return 0;
        return stalled(s, READY_READ);
    }
    n = n < size ? n : size;
    memcpy(buffer, byte_queue_str(&s->in).data, n);
    byte_queue_drop(&s->in, n);
    http2_stream_grant(s);
    return (ssize_t)n;
}

static void stream_shutdown(struct connection *c)
{
    http2_stream_finish(&stream_of(c)->link, STR(""));
}

static const struct transport transport_http2 = {
    .name = "http2", .recv = stream_recv, .sendv = stream_sendv, .sendfile = stream_sendfile,
    .shutdown = stream_shutdown,
};

/* ---- its life ---- */

static void release(struct deferred *d)
{
    free(CONTAINER(d, struct http2_stream, freed));
}

/* The user has done with it; a peer that goes on is told to stop. */
static void stream_end(struct link *l)
{
    struct http2_stream *s = stream_of(&l->connection);
    struct http2_peer *p = s->peer;

    timer_cancel(&l->connection.timer);
    list_remove(&l->connection.watch.posted);
    list_remove(&s->news);
    byte_queue_fini(&s->in);
    if (s->id && !p->closed && !(s->sent && s->ended))
        http2_peer_put_u32(p, FRAME_RST_STREAM, s->id, FRAME_CANCEL);
    http2_peer_leave(p, &s->place);
    loop_defer(&s->freed, release);
}

struct link *http2_stream_open(const struct http2_want *want, void (*wake)(void *owner), void *owner)
{
    struct http2_stream *s = calloc(1, sizeof *s);
    struct http2_peer *p = s ? http2_peer_find(want) : NULL;

    if (!p) {
        int error = s ? errno : ENOMEM;
        free(s);
        errno = error;
        return NULL;
    }
    link_init_stream(&s->link, &transport_http2, stream_end, wake, owner);
    s->link.address = *want->to;
    s->link.reused = p->settled;
    s->link.connection.watch.ready = p->connected ? READY_WRITE : 0;
    s->peer = p;
    s->receive_window = FRAME_WINDOW;
    list_init(&s->news);
    http2_peer_join(p, &s->place);
    return &s->link;
}
