/*
 * tunnel: see tunnel.h.  A tunnel that is silent holds no memory but its request.  How the client is
 * heard and spoken to is its wire's affair.
 */
#include "http/proxy/tunnel.h"

#include <errno.h>

#include "http/buffer.h"
#include "http/proxy/exchange_log.h"
#include "http/proxy/window.h"

struct tunnel {
    struct exchange_buffer up;         /* from the client, not sent yet */
    struct window *up_window;
    bool client_ended, peer_ended;     /* it says no more */
    bool over;
    bool deaf;                         /* the peer takes no more; what it has said is still to be read */
};

static bool half_closes(const struct exchange *x)
{
    return x->request->wire->half_closes;
}

/* ---- ends ---- */

static bool ended(struct tunnel *t)
{
    t->over = true;
    return false;
}

/* Lets go of the peer.  Where sides end one by one, anything else breaks the tunnel off: RFC 9113 section
 * 8.5 wants both to know. */
static enum pull leave(struct exchange *x)
{
    const struct tunnel *t = x->tunnel;
    bool broken = half_closes(x) && !(t->client_ended && t->peer_ended);

    if (broken && x->link)
        link_abort(x->link);
    x->complete = false;                       /* how long it lasted says nothing of the peer */
    exchange_release(x, false);
    return broken ? PULL_ERROR : PULL_LAST;
}

static bool client_ended(struct exchange *x, struct tunnel *t)
{
    if (!half_closes(x))
        return ended(t);
    t->client_ended = true;
    if (t->peer_ended)
        return ended(t);
    link_finish(x->link);
    timer_set(&x->link->connection.timer, x->conf->read_timeout);
    return false;
}

static enum pull peer_ended(struct exchange *x, struct tunnel *t)
{
    t->peer_ended = true;
    if (!half_closes(x) || t->client_ended || t->deaf)
        return leave(x);
    timer_set(&x->link->connection.timer, x->conf->read_timeout);
    return PULL_LAST;
}

/* ---- from the client to the peer ---- */

/* What the client has said.  false: nothing now, or no more. */
static bool hear_client(struct exchange *x, struct tunnel *t)
{
    struct request *r = x->request;
    struct exchange_buffer *up = &t->up;

    if (t->client_ended)
        return false;
    if (!t->up_window && !(t->up_window = window_take(x->conf->buffer_size)))
        return ended(t);
    up->at = up->end = t->up_window->space;
    ssize_t n = r->wire->read_body(r, up->end, t->up_window->size);
    if (n > 0) {
        up->end += n;
        return true;
    }
    window_give(t->up_window);
    t->up_window = NULL;
    t->up = (struct exchange_buffer){ 0 };
    if (n == 0)
        return client_ended(x, t);
    return n == IO_AGAIN ? false : ended(t);
}

/* Sends some.  false: not now. */
static bool tell_peer(struct exchange *x, struct tunnel *t)
{
    ssize_t n = link_send(x->link, str_range(t->up.at, t->up.end), false);

    if (n == IO_AGAIN)
        return false;
    if (n < 0) {
        t->deaf = true;
        return true;
    }
    t->up.at += n;
    exchange_attempt(x)->sent += (uint64_t)n;
    timer_set(&x->link->connection.timer, x->conf->read_timeout);
    return true;
}

/* As far as it goes.  false: the tunnel is at its end. */
static bool pump(struct exchange *x)
{
    struct tunnel *t = x->tunnel;

    for (;;) {
        if (t->deaf)
            t->up.at = t->up.end;
        if (t->up.at == t->up.end && !hear_client(x, t))
            return !t->over;
        if (!t->deaf && !tell_peer(x, t))
            return true;
    }
}

/* ---- from the peer to the client ---- */

/* What came behind the response's head has been given. */
static void drop_head(struct exchange *x)
{
    buffer_free(x->head_buffer);
    x->head_buffer = NULL;
}

/* The next `most` bytes of what has come, the wire's framing taken off.  false: it is malformed. */
static bool next_run(struct exchange *x, size_t most, struct str *run)
{
    while (x->in.at < x->in.end && !run->len && !x->complete) {
        struct str in = str_range(x->in.at, x->in.end);
        size_t used = 0;
        if (in.len > most)
            in.len = most;
        if (!x->wire->next_data)
            *run = in;
        else if (!x->wire->next_data(x, in, &used, run))
            return false;
        x->in.at += used + run->len;
    }
    return true;
}

/* Reads once.  More than 0: bytes; 0: the end; or enum io. */
static ssize_t read_peer(struct exchange *x)
{
    if (!x->window && !(x->window = window_take(x->conf->buffer_size)))
        return IO_ERROR;
    drop_head(x);
    x->in.at = x->in.end = x->window->space;
    ssize_t n = link_recv(x->link, x->in.end, x->window->size);
    if (n > 0) {
        x->in.end += n;
        exchange_attempt(x)->received += (uint64_t)n;
        timer_set(&x->link->connection.timer, x->conf->read_timeout);
        return n;
    }
    window_give(x->window);
    x->window = NULL;
    x->in = (struct exchange_buffer){ 0 };
    return n;
}

static enum pull pull(struct source *s, struct batch *out, size_t budget)
{
    struct exchange *x = (struct exchange *)s;

    struct str run = { NULL, 0 };

    if (!x->link || !pump(x))
        return leave(x);
    for (;;) {
        if (!next_run(x, budget, &run))
            return leave(x);
        if (run.len)
            break;
        ssize_t n = x->complete ? 0 : read_peer(x);
        if (n == 0)
            return peer_ended(x, x->tunnel);
        if (n < 0)
            return n == IO_AGAIN ? PULL_WAIT : leave(x);
    }
    batch_memory(out, run.data, run.len);
    exchange_attempt(x)->length += run.len;
    return PULL_DATA;
}

static void close_source(struct source *s)
{
    struct exchange *x = (struct exchange *)s;
    struct tunnel *t = x->tunnel;

    leave(x);
    window_give(t->up_window);
    t->up_window = NULL;
    window_give(x->window);
    x->window = NULL;
    x->state = EXCHANGE_ENDED;
}

static const struct source_ops ops = { .name = "tunnel", .pull = pull, .close = close_source };

/* ---- for the exchange and the request ---- */

void tunnel_begin(struct exchange *x)
{
    struct request *r = x->request;

    x->source = (struct source){ &ops, r };
    x->tunnel = ARENA_NEW(&r->arena, struct tunnel);
    r->response.length = -1;                   /* whatever the peer says of one */
    r->flags.keepalive = false;
    r->flags.tunnel = true;
    if (x->in.at == x->in.end)
        drop_head(x);
    x->state = EXCHANGE_TUNNEL;
    timer_set(&x->link->connection.timer, x->conf->read_timeout);
}

bool tunnel_hear(struct exchange *x)
{
    return !x->link || pump(x);
}

bool tunnel_lasts(struct exchange *x)
{
    return x->link && !(x->link->connection.watch.ready & READY_ERROR) && pump(x) && !x->tunnel->deaf;
}

void tunnel_ready(struct exchange *x)
{
    if (x->link->timed_out) {
        exchange_log(x, LOG_LEVEL_INFO, ETIMEDOUT, "upstream timed out");
        leave(x);
    }
    request_wake(x->request);
}
