/*
 * tunnel: see tunnel.h.  A tunnel that is silent holds no memory but its request.
 */
#include "http/proxy/tunnel.h"

#include <errno.h>

#include "http/buffer.h"
#include "http/proxy/exchange_log.h"
#include "http/proxy/window.h"
#include "http/v1/v1.h"

struct tunnel {
    struct exchange_buffer up;         /* from the client, not sent yet */
    struct window *up_window;
    bool client_ended;
};

static struct tunnel *state_of(const struct exchange *x)
{
    return x->tunnel;
}

static bool ended(struct exchange *x)
{
    x->complete = true;
    return false;
}

/* What the client has said: first what came along with its request.  false: nothing now, or no more. */
static bool hear_client(struct exchange *x, struct tunnel *t)
{
    struct client *c = x->request->client;
    struct exchange_buffer *up = &t->up;

    if (!t->up_window && !(t->up_window = window_take(x->conf->buffer_size)))
        return ended(x);
    up->at = up->end = t->up_window->space;
    size_t rest = v1_take_rest(x->request, up->end, t->up_window->size);
    if (rest) {
        up->end += rest;
        return true;
    }
    ssize_t n = client_recv(c, up->end, t->up_window->size);
    if (n > 0) {
        up->end += n;
        x->request->received += (uint64_t)n;
        return true;
    }
    window_give(t->up_window);
    t->up_window = NULL;
    t->up = (struct exchange_buffer){ 0 };
    return n == IO_AGAIN ? false : ended(x);
}

/* From the client to the peer, as far as it goes.  false: the tunnel is at its end. */
static bool pump(struct exchange *x)
{
    struct connection *c = &x->link->connection;
    struct tunnel *t = state_of(x);

    for (;;) {
        if (t->up.at == t->up.end && !hear_client(x, t))
            return !x->complete;
        if (!(c->watch.ready & READY_WRITE))
            return true;
        struct iovec iov = { t->up.at, (size_t)(t->up.end - t->up.at) };
        ssize_t n = c->transport->sendv(c, &iov, 1, false);
        if (n == IO_AGAIN)
            return true;
        if (n < 0)
            return ended(x);
        t->up.at += n;
        exchange_attempt(x)->sent += (uint64_t)n;
        timer_set(&c->timer, x->conf->read_timeout);
    }
}

/* What came behind the response's head has been given. */
static void drop_head(struct exchange *x)
{
    buffer_free(x->head_buffer);
    x->head_buffer = NULL;
}

static enum pull give(struct exchange *x, struct batch *out, size_t budget)
{
    size_t n = (size_t)(x->in.end - x->in.at);

    if (n > budget)
        n = budget;
    batch_memory(out, x->in.at, n);
    x->in.at += n;
    exchange_attempt(x)->length += n;
    return PULL_DATA;
}

static enum pull finish(struct exchange *x)
{
    exchange_release(x, false);
    return PULL_LAST;
}

static enum pull pull(struct source *s, struct batch *out, size_t budget)
{
    struct exchange *x = (struct exchange *)s;

    if (!x->link || !pump(x))
        return finish(x);
    if (x->in.at < x->in.end)
        return give(x, out, budget);
    if (!x->window && !(x->window = window_take(x->conf->buffer_size)))
        return finish(x);
    drop_head(x);
    x->in.at = x->in.end = x->window->space;
    ssize_t n = link_recv(x->link, x->in.end, x->window->size);
    if (n == IO_AGAIN) {
        window_give(x->window);
        x->window = NULL;
        x->in = (struct exchange_buffer){ 0 };
        return PULL_WAIT;
    }
    if (n <= 0)
        return finish(x);
    x->in.end += n;
    exchange_attempt(x)->received += (uint64_t)n;
    timer_set(&x->link->connection.timer, x->conf->read_timeout);
    return give(x, out, budget);
}

static void close_source(struct source *s)
{
    struct exchange *x = (struct exchange *)s;

    exchange_release(x, false);
    window_give(state_of(x)->up_window);
    state_of(x)->up_window = NULL;
    window_give(x->window);
    x->window = NULL;
    x->state = EXCHANGE_ENDED;
}

static const struct source_ops ops = { .name = "tunnel", .pull = pull, .close = close_source };

void tunnel_begin(struct exchange *x)
{
    x->source = (struct source){ &ops, x->request };
    x->tunnel = ARENA_NEW(&x->request->arena, struct tunnel);
    x->request->flags.keepalive = false;
    x->request->flags.tunnel = true;
    if (x->in.at == x->in.end)
        drop_head(x);
    x->state = EXCHANGE_TUNNEL;
    timer_set(&x->link->connection.timer, x->conf->read_timeout);
}

bool tunnel_hear(struct exchange *x)
{
    return !x->link || pump(x);
}

void tunnel_ready(struct exchange *x)
{
    if (x->link->timed_out) {
        exchange_log(x, LOG_LEVEL_INFO, ETIMEDOUT, "upstream timed out");
        exchange_release(x, false);
    }
    request_wake(x->request);
}
