/*
 * exchange: see exchange.h.  The life of a request at its peers, top to bottom; what a response's head
 * means for the client is exchange_head.c's, how its body flows buffering.c's.
 */
#include "http/proxy/exchange.h"

#include <errno.h>

#include "http/body.h"
#include "http/buffer.h"
#include "http/proxy/buffering.h"
#include "http/proxy/exchange_head.h"
#include "http/proxy/tunnel.h"
#include "http/response.h"

enum { REQUEST_SPACE = 65536 };        /* the largest head of a request to a peer */

static char request_space[REQUEST_SPACE];

/* ---- begin and end ---- */

static void clean_up(void *data)
{
    struct exchange *x = data;

    exchange_release(x, false);
    buffering_fini(x);
    buffer_free(x->head_buffer);
    x->head_buffer = NULL;
}

static void wake(void *owner)
{
    struct exchange *x = owner;

    if (x->state == EXCHANGE_BODY)
        buffering_ready(x);
    else if (x->state == EXCHANGE_TUNNEL)
        tunnel_ready(x);
    else
        request_wake(x->request);
}

struct exchange *exchange_begin(struct request *r, const struct exchange_wire *wire,
                                const struct exchange_conf *conf, struct upstream *u)
{
    struct exchange *x = ARENA_NEW(&r->arena, struct exchange);

    x->request = r;
    x->wire = wire;
    x->conf = conf;
    x->attempts = r->exchange ? r->exchange->attempts : ARENA_NEW(&r->arena, struct attempts);
    x->body_file = x->file = -1;
    x->buffering = conf->buffering;
    x->start_ms = clock_ms();
    if (r->exchange)
        exchange_release(r->exchange, false);
    r->exchange = x;
    request_cleanup(r, clean_up, x);
    balance_start(&x->pick, u, request_script(r), &r->arena);
    if (conf->next_tries && x->pick.tries > conf->next_tries)
        x->pick.tries = conf->next_tries;
    return x;
}

void exchange_release(struct exchange *x, bool reuse)
{
    struct link *l = x->link;

    if (x->attempts->list.count && l) {
        struct attempt *a = exchange_attempt(x);
        a->response_ms = (int64_t)(clock_ms() - a->start_ms);
    }
    x->link = NULL;
    if (l && reuse)
        keepalive_give(x->pick.group->pool, &x->pick.group->keepalive, l);
    else if (l)
        link_close(l);
    if (x->pick.peer)
        balance_done(&x->pick, BALANCE_OK);
    if (x->state < EXCHANGE_BODY)
        x->state = EXCHANGE_ENDED;
}

bool exchange_client_gone(const struct exchange *x)
{
    const struct client *c = x->request->client;

    return !x->conf->ignore_client_abort &&
           (c->connection.watch.ready & (READY_EOF | READY_ERROR));
}

static int client_gone(struct exchange *x)
{
    request_log(x->request, LOG_LEVEL_INFO, 0,
                "client prematurely closed connection, so upstream connection is closed too");
    exchange_release(x, false);
    return STATUS_CLIENT_CLOSED;
}

/* ---- the next peer ---- */

static const struct {
    unsigned kind;
    unsigned status;
} kinds[] = {
    { NEXT_TIMEOUT, STATUS_GATEWAY_TIMEOUT }, { NEXT_500, STATUS_INTERNAL_SERVER_ERROR },
    { NEXT_502, STATUS_BAD_GATEWAY },         { NEXT_503, STATUS_SERVICE_UNAVAILABLE },
    { NEXT_504, STATUS_GATEWAY_TIMEOUT },     { NEXT_403, STATUS_FORBIDDEN },
    { NEXT_404, STATUS_NOT_FOUND },           { NEXT_429, STATUS_TOO_MANY_REQUESTS },
};

static unsigned status_of_kind(unsigned kind)
{
    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i].kind == kind)
            return kinds[i].status;
    }
    return STATUS_BAD_GATEWAY;
}

unsigned exchange_kind_of_status(unsigned status)
{
    for (unsigned i = 1; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i].status == status)
            return kinds[i].kind;
    }
    return 0;
}

/* Asking twice may do twice what was asked: RFC 9110 section 9.2.2. */
static bool is_idempotent(const struct request *r)
{
    return r->method != METHOD_POST && r->method != METHOD_LOCK && r->method != METHOD_PATCH;
}

static bool may_try(const struct exchange *x, unsigned kind, unsigned tries_left)
{
    const struct exchange_conf *conf = x->conf;

    if (x->head_sent && !is_idempotent(x->request))
        kind |= NEXT_NON_IDEMPOTENT;
    return tries_left > 0 && (conf->next_upstream & kind) == kind &&
           !(conf->next_timeout && clock_ms() - x->start_ms >= conf->next_timeout);
}

bool exchange_may_try_again(const struct exchange *x, unsigned kind)
{
    return x->pick.tries > 1 && may_try(x, kind, x->pick.tries - 1);
}

static void end_attempt(struct exchange *x, unsigned kind)
{
    enum balance_result result = kind & (NEXT_403 | NEXT_404) ? BALANCE_REFUSED : BALANCE_FAILED;
    struct attempt *a = exchange_attempt(x);

    a->response_ms = (int64_t)(clock_ms() - a->start_ms);
    if (!a->status)
        a->status = status_of_kind(kind);
    if (x->link)
        link_close(x->link);
    x->link = NULL;
    if (x->pick.peer && balance_done(&x->pick, result))
        request_log(x->request, LOG_LEVEL_WARN, 0,
                    "upstream server temporarily disabled: %.*s", STR_ARG(a->peer));
}

/* The try has come to nothing: another peer, or the end. */
int exchange_next(struct exchange *x, unsigned kind)
{
    /* A connection that lay idle may have been closed by a peer that is in good health. */
    bool stale = x->link && x->link->reused && kind == NEXT_ERROR && x->in.at == x->in.end;

    if (stale) {
        struct attempt *a = exchange_attempt(x);
        a->response_ms = (int64_t)(clock_ms() - a->start_ms);
        a->status = STATUS_BAD_GATEWAY;
        link_close(x->link);
        x->link = NULL;
        if (!x->head_sent || is_idempotent(x->request) ||
            (x->conf->next_upstream & NEXT_NON_IDEMPOTENT)) {
            x->state = EXCHANGE_CONNECT;       /* once more to the same, over a fresh one */
            return STEP_NEXT;
        }
        exchange_release(x, false);
        return STATUS_BAD_GATEWAY;
    }
    end_attempt(x, kind);
    if (!may_try(x, kind, x->pick.tries)) {
        x->state = EXCHANGE_ENDED;
        return (int)status_of_kind(kind);
    }
    x->state = EXCHANGE_CONNECT;
    return STEP_NEXT;
}

/* ---- connect ---- */

static int no_peer(struct exchange *x)
{
    const struct upstream *u = x->pick.group;
    struct attempt *a = ARRAY_PUSH(&x->attempts->list, &x->request->arena);

    *a = (struct attempt){ .peer = u->name, .status = STATUS_BAD_GATEWAY, .start_ms = clock_ms(),
                           .connect_ms = -1, .header_ms = -1, .response_ms = 0,
                           .first = !x->attempted };
    request_log(x->request, LOG_LEVEL_ERROR, 0, "no live upstreams while connecting to upstream");
    x->state = EXCHANGE_ENDED;
    return STATUS_BAD_GATEWAY;
}

static void note_attempt(struct exchange *x)
{
    struct attempt *a = ARRAY_PUSH(&x->attempts->list, &x->request->arena);

    *a = (struct attempt){ .peer = x->pick.peer->name, .start_ms = clock_ms(), .first = !x->attempted,
                           .connect_ms = -1, .header_ms = -1, .response_ms = -1 };
    x->attempted = true;
}

static struct link *open_link(struct exchange *x, bool fresh)
{
    const struct exchange_conf *conf = x->conf;
    const struct upstream *u = x->pick.group;
    struct address local;
    struct link_options options = {
        .keepalive = conf->socket_keepalive, .rcvbuf = (int)conf->socket_rcvbuf,
        .sndbuf = (int)conf->socket_sndbuf,
    };

    if (!fresh && u->pool && u->keepalive.connections) {
        struct link *l = keepalive_take(u->pool, &x->pick.peer->address, x->key, wake, x);
        if (l)
            return l;
    }
    if (exchange_bind_address(x, &local))
        options.bind = &local;
    struct link *l = link_open(&x->pick.peer->address, &options, wake, x);
    if (l)
        l->key = x->key;
    return l;
}

/* What a former try left behind. */
static void clear_response(struct exchange *x)
{
    x->head = (struct exchange_head){ .length = -1 };
    x->in = (struct exchange_buffer){ 0 };
    x->complete = false;
    x->head_sent = x->request_sent = false;
    x->unsent = (struct str){ NULL, 0 };
}

static int exchange_connect(struct exchange *x)
{
    bool again = x->pick.peer != NULL;         /* an idle connection was no good */

    clear_response(x);
    if (!again && !balance_next(&x->pick))
        return no_peer(x);
    note_attempt(x);
    x->link = open_link(x, again);
    if (!x->link) {
        request_log(x->request, LOG_LEVEL_ERROR, errno, "connect() to %.*s failed",
                    STR_ARG(x->pick.peer->name));
        return exchange_next(x, NEXT_ERROR);
    }
    timer_set(&x->link->connection.timer, x->link->reused ? x->conf->send_timeout
                                                          : x->conf->connect_timeout);
    x->state = EXCHANGE_SEND;
    return STEP_NEXT;
}

/* ---- send ---- */

static bool make_request(struct exchange *x)
{
    struct out o = out_fixed(request_space, sizeof request_space);

    if (!x->wire->put_head(x, &o))
        return false;
    if (o.overflow) {
        request_log(x->request, LOG_LEVEL_ERROR, 0, "the request to the upstream is larger than %d bytes",
                    REQUEST_SPACE);
        return false;
    }
    x->unsent = out_str_of(&o);
    return true;
}

static ssize_t send_text(struct exchange *x)
{
    struct connection *c = &x->link->connection;
    struct iovec iov[2] = {
        { (void *)(uintptr_t)x->unsent.data, x->unsent.len },
        { (void *)(uintptr_t)x->body_text.data, x->body_text.len },
    };
    unsigned skip = x->unsent.len == 0;

    ssize_t n = c->transport->sendv(c, iov + skip, 2 - (int)skip - (x->body_text.len == 0),
                                    x->body_left > 0);
    if (n <= 0)
        return n;
    size_t head = (size_t)n < x->unsent.len ? (size_t)n : x->unsent.len;
    x->unsent = str_from(x->unsent, head);
    x->body_text = str_from(x->body_text, (size_t)n - head);
    return n;
}

static ssize_t send_some(struct exchange *x)
{
    struct connection *c = &x->link->connection;

    if (!(c->watch.ready & READY_WRITE))
        return IO_AGAIN;
    if (x->unsent.len || x->body_text.len)
        return send_text(x);
    ssize_t n = c->transport->sendfile(c, x->body_file, &x->body_offset, (size_t)x->body_left);
    if (n > 0)
        x->body_left -= (uint64_t)n;
    if (n == 0) {
        errno = EIO;
        return IO_ERROR;
    }
    return n;
}

static bool all_sent(const struct exchange *x)
{
    return x->unsent.len == 0 && x->body_text.len == 0 && x->body_left == 0;
}

/* The head lies in a space that all requests use: what is left of it moves to the arena. */
static void keep_head(struct exchange *x)
{
    if (x->unsent.len && x->unsent.data >= request_space &&
        x->unsent.data < request_space + REQUEST_SPACE)
        x->unsent = arena_str(&x->request->arena, x->unsent);
}

static int send_failed(struct exchange *x)
{
    struct link *l = x->link;

    request_log(x->request, LOG_LEVEL_ERROR, errno, l->connected || l->reused
                ? "sending a request to upstream %.*s failed" : "connect() to %.*s failed",
                STR_ARG(x->pick.peer->name));
    return exchange_next(x, NEXT_ERROR);
}

static void note_connected(struct exchange *x)
{
    struct attempt *a = exchange_attempt(x);

    x->link->connected = true;
    x->head_sent = true;
    if (a->connect_ms < 0)
        a->connect_ms = x->link->reused ? 0 : (int64_t)(clock_ms() - a->start_ms);
}

/* The body as it will be sent, from its start. */
static void take_body(struct exchange *x)
{
    const struct body *b = x->conf->pass_request_body ? x->request->body : NULL;

    x->body_left = 0;
    x->body_offset = 0;
    x->body_text = b && b->file < 0 ? b->memory : (struct str){ NULL, 0 };
    if (b && b->file >= 0) {
        x->body_file = b->file;
        x->body_left = b->length;
    }
}

static int exchange_send(struct exchange *x)
{
    struct link *l = x->link;

    if (l->timed_out) {
        request_log(x->request, LOG_LEVEL_ERROR, ETIMEDOUT, "upstream timed out while %s upstream",
                    l->connected ? "sending request to" : "connecting to");
        return exchange_next(x, NEXT_TIMEOUT);
    }
    if (!x->head_sent && !x->unsent.len) {
        take_body(x);
        if (!make_request(x)) {
            exchange_release(x, false);
            return STATUS_INTERNAL_SERVER_ERROR;
        }
    }
    while (!all_sent(x)) {
        ssize_t n = send_some(x);
        if (n == IO_AGAIN) {
            keep_head(x);
            if (x->head_sent && (l->connection.watch.ready & READY_READ))
                break;                         /* it answers before it has heard all */
            return STEP_WAIT;
        }
        if (n < 0) {
            if (x->head_sent && (l->connection.watch.ready & READY_READ))
                break;
            return send_failed(x);
        }
        note_connected(x);
        exchange_attempt(x)->sent += (uint64_t)n;
        timer_set(&l->connection.timer, x->conf->send_timeout);
    }
    x->request_sent = all_sent(x);
    x->state = EXCHANGE_HEAD;
    timer_set(&l->connection.timer, x->conf->read_timeout);
    return STEP_NEXT;
}

/* ---- the response's head ---- */

static void use_head_buffer(struct exchange *x, struct buffer *b, size_t used)
{
    size_t most = x->conf->buffer_size;

    x->head_buffer = b;
    x->in = (struct exchange_buffer){ b->data, b->data + used,
                                      b->data + (b->size < most ? b->size : most) };
    x->head = (struct exchange_head){ .length = -1 };  /* it pointed into the other: read anew */
}

/* Room behind x->in.end.  false: the head is larger than it may be. */
static bool make_head_room(struct exchange *x)
{
    struct buffer *b = x->head_buffer;
    size_t most = x->conf->buffer_size;

    if (b && x->in.end && x->in.end < x->in.limit)
        return true;
    if (b && !x->in.end) {                     /* a former try's */
        use_head_buffer(x, b, 0);
        return true;
    }
    if (b && b->size >= most)
        return false;
    struct buffer *larger = buffer_new(b || most < BUFFER_SIZE ? most : BUFFER_SIZE);
    if (!larger)
        return false;
    size_t used = b ? (size_t)(x->in.end - b->data) : 0;
    if (b)
        memcpy(larger->data, b->data, used);
    buffer_free(b);
    use_head_buffer(x, larger, used);
    return true;
}

static int head_ended(struct exchange *x, ssize_t n)
{
    if (n == 0)
        request_log(x->request, x->link->reused && x->in.at == x->in.end ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR,
                    0, "upstream prematurely closed connection while reading response header from upstream");
    else
        request_log(x->request, LOG_LEVEL_ERROR, errno,
                    "reading response header from upstream failed");
    return exchange_next(x, NEXT_ERROR);
}

static int exchange_head(struct exchange *x)
{
    struct link *l = x->link;

    if (l->timed_out) {
        request_log(x->request, LOG_LEVEL_ERROR, ETIMEDOUT,
                    "upstream timed out while reading response header from upstream");
        return exchange_next(x, NEXT_TIMEOUT);
    }
    for (;;) {
        if (!make_head_room(x)) {
            request_log(x->request, LOG_LEVEL_ERROR, 0, "upstream sent too big header while reading "
                        "response header from upstream: more than %zu bytes", x->conf->buffer_size);
            return exchange_next(x, NEXT_INVALID_HEADER);
        }
        ssize_t n = link_recv(l, x->in.end, (size_t)(x->in.limit - x->in.end));
        if (n == IO_AGAIN)
            return STEP_WAIT;
        if (n <= 0)
            return head_ended(x, n);
        x->in.end += n;
        exchange_attempt(x)->received += (uint64_t)n;
        enum head_result result = x->wire->read_head(x);
        while (result == HEAD_INTERIM) {
            exchange_interim(x);
            result = x->wire->read_head(x);
        }
        if (result == HEAD_BAD)
            return exchange_next(x, NEXT_INVALID_HEADER);
        if (result == HEAD_DONE)
            return exchange_respond(x);
    }
}

/* ---- all of it ---- */

static int read_body(struct exchange *x)
{
    int result = x->conf->pass_request_body ? body_read(x->request, false) : STEP_NEXT;

    if (result == STEP_NEXT)
        x->state = EXCHANGE_CONNECT;
    return result;
}

int exchange_run(struct exchange *x)
{
    int result = STEP_NEXT;

    while (result == STEP_NEXT) {
        switch (x->state) {
        case EXCHANGE_REQUEST:
            result = read_body(x);
            if (result != STEP_NEXT)
                return result;
            break;
        case EXCHANGE_CONNECT:
            result = exchange_connect(x);
            break;
        case EXCHANGE_SEND:
            result = exchange_send(x);
            break;
        case EXCHANGE_HEAD:
            result = exchange_head(x);
            break;
        case EXCHANGE_BODY:
        case EXCHANGE_TUNNEL:
        case EXCHANGE_ENDED:
            return STEP_RESPOND;
        }
    }
    if (result == STEP_WAIT && exchange_client_gone(x))
        return client_gone(x);
    return result;
}
