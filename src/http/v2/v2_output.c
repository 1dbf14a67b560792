/*
 * v2_output: see v2_output.h.  A connection has one of these only while something is not sent; a few
 * are kept for the next.
 */
#include "http/v2/v2_output.h"

#include <errno.h>

enum { SPARES = 4 };

struct v2_piece {
    const char *data;
    size_t len;
    struct v2_stream *stream;          /* whose bytes these are; NULL: they lie in the space */
    char *owned;                       /* to be freed */
};

struct v2_output {
    struct v2_output *next;            /* among the spares */
    unsigned first, count;             /* pieces not sent */
    size_t used;                       /* of space */
    struct v2_piece pieces[V2_PIECES];
    char space[V2_OUTPUT_SPACE + V2_CONTROL_SPACE];
};

static struct v2_output *spares;
static unsigned spare_count;

static struct v2_output *output_of(struct v2 *v)
{
    struct v2_output *o = v->output;

    if (o)
        return o;
    if (spares) {
        o = spares;
        spares = o->next;
        spare_count--;
    } else if (!(o = malloc(sizeof *o)))
        return NULL;
    o->first = o->count = 0;
    o->used = 0;
    v->output = o;
    return o;
}

static void give_back(struct v2 *v)
{
    struct v2_output *o = v->output;

    v->output = NULL;
    if (!o)
        return;
    if (spare_count == SPARES) {
        free(o);
        return;
    }
    o->next = spares;
    spares = o;
    spare_count++;
}

void v2_output_fini(void)
{
    while (spares) {
        struct v2_output *o = spares;
        spares = o->next;
        free(o);
    }
    spare_count = 0;
}

size_t v2_output_room(struct v2 *v)
{
    const struct v2_output *o = v->output;

    if (!o)
        return V2_OUTPUT_SPACE;
    if (o->count > V2_PIECES / 4 || o->used >= V2_OUTPUT_SPACE)
        return 0;
    return V2_OUTPUT_SPACE - o->used;
}

bool v2_output_has_room(struct v2 *v, size_t room)
{
    return v2_output_room(v) >= room || (v2_output_flush(v) && v2_output_room(v) >= room);
}

char *v2_output_space(struct v2 *v)
{
    struct v2_output *o = output_of(v);

    return o ? o->space + o->used : NULL;
}

static void add_piece(struct v2_output *o, struct v2_piece piece)
{
    o->pieces[o->count++] = piece;
}

void v2_output_commit(struct v2 *v, size_t len)
{
    struct v2_output *o = v->output;
    struct v2_piece *last = o->count > o->first ? &o->pieces[o->count - 1] : NULL;
    char *from = o->space + o->used;

    o->used += len;
    if (last && last->data + last->len == from && !last->stream && !last->owned)
        last->len += len;
    else if (len)
        add_piece(o, (struct v2_piece){ .data = from, .len = len });
}

void v2_output_refer(struct v2 *v, struct v2_stream *s, struct str bytes)
{
    s->pending++;
    add_piece(v->output, (struct v2_piece){ .data = bytes.data, .len = bytes.len, .stream = s });
}

void v2_output_own(struct v2 *v, char *data, size_t len)
{
    struct v2_output *o = output_of(v);

    if (o && o->count < V2_PIECES)
        add_piece(o, (struct v2_piece){ .data = data, .len = len, .owned = data });
    else {
        free(data);
        v2_lose(v);
    }
}

/* Whether `len` bytes of control fit. */
static bool control_fits(const struct v2_output *o, size_t len)
{
    return o->count < V2_PIECES && sizeof o->space - o->used >= len;
}

void v2_output_control(struct v2 *v, enum frame_type type, uint8_t flags, uint32_t stream,
                       struct str payload)
{
    struct v2_output *o = v->lost ? NULL : output_of(v);
    size_t len = FRAME_HEAD_SIZE + payload.len;

    if (o && !control_fits(o, len))
        o = v2_output_flush(v) ? output_of(v) : NULL;
    if (!o || !control_fits(o, len)) {
        v2_lose(v);
        return;
    }
    struct out space = out_fixed(o->space + o->used, len);
    frame_put_head(&space, (uint32_t)payload.len, type, flags, stream);
    out_str(&space, payload);
    v2_output_commit(v, len);
}

/* Takes `n` sent bytes off; streams whose bytes have gone out may go on. */
static void advance(struct v2_output *o, size_t n)
{
    while (o->first < o->count && n >= o->pieces[o->first].len) {
        struct v2_piece *p = &o->pieces[o->first++];
        n -= p->len;
        free(p->owned);
        if (p->stream && --p->stream->pending == 0)
            v2_stream_wake(p->stream);
    }
    if (n) {
        o->pieces[o->first].data += n;
        o->pieces[o->first].len -= n;
    }
}

bool v2_output_flush(struct v2 *v)
{
    struct client *c = v->client;
    struct v2_output *o = v->output;
    struct iovec iov[V2_PIECES];

    while (o && o->first < o->count) {
        int n = 0;
        if (!(c->connection.watch.ready & READY_WRITE))
            return true;
        for (unsigned i = o->first; i < o->count; i++) {
            iov[n].iov_base = (void *)(uintptr_t)o->pieces[i].data;
            iov[n++].iov_len = o->pieces[i].len;
        }
        ssize_t sent = c->connection.transport->sendv(&c->connection, iov, n, false);
        if (sent == IO_AGAIN)
            return true;
        if (sent < 0) {
            client_log(c, LOG_LEVEL_INFO, errno, "sending to client failed");
            return false;
        }
        v->moved = true;
        advance(o, (size_t)sent);
    }
    give_back(v);
    return true;
}

bool v2_output_blocked(const struct v2 *v)
{
    return v->output && v->output->first < v->output->count;
}

void v2_output_drop(struct v2 *v)
{
    struct v2_output *o = v->output;

    for (unsigned i = o ? o->first : 0; o && i < o->count; i++) {
        struct v2_piece *p = &o->pieces[i];
        free(p->owned);
        if (p->stream && --p->stream->pending == 0)
            v2_stream_wake(p->stream);
    }
    give_back(v);
}
