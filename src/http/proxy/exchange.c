/*
 * exchange: see exchange.h.  The life of a request at its peers, top to bottom; what a response's
 * head means for the client is exchange_head.c's, how its body flows buffering.c's.
 */
#include "http/proxy/exchange.h"

#include <errno.h>

#include "http/body.h"
#include "http/buffer.h"
#include "http/client.h"
#include "http/proxy/buffering.h"
#include "http/proxy/exchange_head.h"
#include "http/proxy/exchange_log.h"
#include "http/proxy/exchange_resolve.h"
#include "http/proxy/store.h"
#include "http/proxy/tunnel.h"
#include "http/proxy/upload.h"
#include "http/response.h"
#include "net/proxy_protocol.h"

enum {
    REQUEST_SPACE = 65536,             /* the largest head of a request to a peer */
    INTERIMS_MOST = 100,               /* responses before the one that counts */
};

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
    x->needed = store_wants(x);
    x->start_ms = clock_ms();
    if (r->exchange)
        exchange_release(r->exchange, false);
    r->exchange = x;
    request_cleanup(r, clean_up, x);
    x->pick.group = u;
    exchange_choose(x);
    return x;
}

void exchange_choose(struct exchange *x)
{
    struct request *r = x->request;

    balance_start(&x->pick, x->pick.group, request_script(r), &r->arena);
    if (x->conf->next_tries && x->pick.tries > x->conf->next_tries)
        x->pick.tries = x->conf->next_tries;
}

void exchange_release(struct exchange *x, bool reuse)
{
    struct link *l = x->link;

    if (x->attempts->list.count && l) {
        struct attempt *a = exchange_attempt(x);
        a->response_ms = (int64_t)(clock_ms() - a->start_ms);
    }
    x->link = NULL;
    if (x->streaming && !x->request->body->complete)
        x->request->flags.discard_body = true;
    exchange_resolve_end(x);
    if (l && reuse)
        keepalive_give(x->pick.group->pool, &x->pick.group->keepalive, l);
    else if (l)
        link_close(l);
    if (x->pick.peer)
        balance_done(&x->pick, x->complete ? BALANCE_OK : BALANCE_LEFT);
    else
        balance_leave(&x->pick);
    if (x->state < EXCHANGE_BODY)
        x->state = EXCHANGE_ENDED;
}

bool exchange_client_gone(const struct exchange *x)
{
    return !x->needed && !x->conf->ignore_client_abort && request_gone(x->request);
}

static int client_gone(struct exchange *x)
{
    exchange_log(x, LOG_LEVEL_INFO, 0,
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
    { NEXT_DENIED, STATUS_FORBIDDEN },
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

/* Asking twice may do twice what was asked: RFC 9110 section 9.2.2.  Of methods that are not known
 * here nobody can say. */
static bool is_idempotent(const struct request *r)
{
    return r->method != METHOD_POST && r->method != METHOD_LOCK && r->method != METHOD_PATCH &&
           r->method != METHOD_OTHER;
}

static bool may_try(const struct exchange *x, unsigned kind, unsigned tries_left)
{
    const struct exchange_conf *conf = x->conf;

    if (x->head_sent && !is_idempotent(x->request))
        kind |= NEXT_NON_IDEMPOTENT;
    return tries_left > 0 && !upload_is_final(x) && (conf->next_upstream & kind) == kind &&
           !(conf->next_timeout && clock_ms() - x->start_ms >= conf->next_timeout);
}

bool exchange_may_try_again(const struct exchange *x, unsigned kind)
{
    return x->pick.tries > 1 && may_try(x, kind, x->pick.tries - 1);
}

static void end_attempt(struct exchange *x, unsigned kind)
{
    enum balance_result result = kind & (NEXT_403 | NEXT_404) ? BALANCE_REFUSED
                                 : kind == NEXT_ERROR         ? BALANCE_UNREACHED
                                                              : BALANCE_FAILED;
    struct attempt *a = exchange_attempt(x);

    a->response_ms = (int64_t)(clock_ms() - a->start_ms);
    if (!a->status)
        a->status = status_of_kind(kind);
    if (x->link)
        link_close(x->link);
    x->link = NULL;
    if (x->pick.peer && balance_done(&x->pick, result))
        exchange_log(x, LOG_LEVEL_WARN, 0,
                    "upstream server temporarily disabled: %.*s", STR_ARG(a->peer));
}

/* The try has come to nothing: another peer, or the end. */
int exchange_next(struct exchange *x, unsigned kind)
{
    /* A connection that lay idle may have been closed by a peer that is in good health. */
    bool stale = x->link && x->link->reused && kind == NEXT_ERROR && x->in.at == x->in.end;
    bool refused = stale && x->link->refused;

    if (stale) {
        struct attempt *a = exchange_attempt(x);
        a->response_ms = (int64_t)(clock_ms() - a->start_ms);
        a->status = STATUS_BAD_GATEWAY;
        link_close(x->link);
        x->link = NULL;
        if (!x->head_sent || refused || is_idempotent(x->request) ||
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
                           .queue_ms = balance_waited_ms(&x->pick), .first = !x->attempted };
    exchange_log(x, LOG_LEVEL_ERROR, 0, "no live upstreams");
    x->state = EXCHANGE_ENDED;
    return STATUS_BAD_GATEWAY;
}

/* A peer that DNS told of may go before the request is logged. */
static struct str peer_name(const struct exchange *x)
{
    const struct upstream_peer *peer = x->pick.peer;

    return peer->found ? arena_str(&x->request->arena, peer->name) : peer->name;
}

static void note_attempt(struct exchange *x)
{
    struct attempt *a = ARRAY_PUSH(&x->attempts->list, &x->request->arena);

    *a = (struct attempt){ .peer = peer_name(x), .server = x->pick.peer->server,
                           .start_ms = clock_ms(), .first = !x->attempted,
                           .connect_ms = -1, .header_ms = -1, .response_ms = -1,
                           .queue_ms = balance_waited_ms(&x->pick) };
    x->attempted = true;
}

/* proxy_bind's address. */
static const struct address *bind_address(struct exchange *x)
{
    struct address local;

    if (x->local_known && !x->conf->bind_dynamic)
        return x->local;
    x->local_known = true;
    x->local = NULL;
    if (exchange_bind_address(x, &local))
        x->local = memcpy(arena_alloc(&x->request->arena, sizeof local), &local, sizeof local);
    return x->local;
}

/* The line of proxy_protocol. */
static const char *make_greeting(const struct exchange *x, char space[PROXY_LINE_MAX + 1])
{
    const struct client *c = x->request->client;
    struct out o = out_fixed(space, PROXY_LINE_MAX + 1);
    struct address local;
    struct peer to = { .family = AF_UNIX };

    if (address_local(c->connection.watch.fd, &local))
        to = peer_of(&local);
    proxy_protocol_put(&o, &c->peer, &to);
    out_char(&o, '\0');
    return space;
}

/* Whose connections these are: a place's, and of it those that come from one address, or that tell the
 * peer of one client. */
static uint32_t link_key(const struct exchange *x, const char *greeting)
{
    uint32_t key = x->key;

    if (x->local && !template_is_text(&x->conf->bind.address))
        key = (key ^ str_hash((struct str){ (const char *)&x->local->any, x->local->len })) | 1;
    return greeting ? (key ^ str_hash(str_of(greeting))) | 1 : key;
}

static struct link *open_link(struct exchange *x, bool fresh)
{
    const struct exchange_conf *conf = x->conf;
    const struct upstream *u = x->pick.group;
    char space[PROXY_LINE_MAX + 1];
    struct link_options options = {
        .keepalive = conf->socket_keepalive, .rcvbuf = (int)conf->socket_rcvbuf,
        .sndbuf = (int)conf->socket_sndbuf, .bind = bind_address(x),
        .transparent = conf->bind.transparent, .tls = x->tls,
        .greeting = conf->proxy_protocol ? make_greeting(x, space) : NULL,
    };
    uint32_t key = link_key(x, options.greeting);

    if (x->wire->open)
        return x->wire->open(x, &options, key, fresh, wake);
    if (!fresh && u->pool && u->keepalive.connections) {
        struct link *l = keepalive_take(u->pool, &x->pick.peer->address, key, wake, x);
        if (l)
            return l;
    }
    struct link *l = link_open(&x->pick.peer->address, &options, wake, x);
    if (l)
        l->key = key;
    return l;
}

/* What a former try left behind. */
static void clear_response(struct exchange *x)
{
    x->head = (struct exchange_head){ .length = -1 };
    x->trailers = (struct headers){ 0 };
    x->interims = 0;
    x->in = (struct exchange_buffer){ 0 };
    x->complete = false;
    x->head_sent = x->request_sent = x->deaf = false;
    x->unsent = (struct str){ NULL, 0 };
}

static int connect_peer(struct exchange *x, bool fresh)
{
    note_attempt(x);
    if (!conditions_all(&x->conf->allow, request_script(x->request))) {
        exchange_log(x, LOG_LEVEL_ERROR, 0, "access to upstream denied");
        return exchange_next(x, NEXT_DENIED);
    }
    x->link = open_link(x, fresh || !x->wire->put_head);
    if (!x->link) {
        exchange_log(x, LOG_LEVEL_ERROR, errno, "connect() failed");
        return exchange_next(x, NEXT_ERROR);
    }
    timer_set(&x->link->connection.timer, x->link->reused ? x->conf->send_timeout
                                                          : x->conf->connect_timeout);
    x->state = EXCHANGE_SEND;
    return STEP_NEXT;
}

static int exchange_connect(struct exchange *x)
{
    clear_response(x);
    if (x->pick.peer)                          /* an idle connection was no good */
        return connect_peer(x, true);
    if (balance_next(&x->pick))
        return connect_peer(x, false);
    if (!balance_wait(&x->pick, wake, x))
        return no_peer(x);
    x->state = EXCHANGE_QUEUE;
    return STEP_WAIT;
}

/* Its turn has come, or the time is over. */
static int exchange_queue(struct exchange *x)
{
    if (balance_waits(&x->pick))
        return STEP_WAIT;
    return x->pick.peer ? connect_peer(x, false) : no_peer(x);
}

/* ---- send ---- */

static bool make_request(struct exchange *x)
{
    struct out o = out_fixed(request_space, sizeof request_space);

    if (!x->wire->put_head(x, &o))
        return false;
    if (o.overflow) {
        exchange_log(x, LOG_LEVEL_ERROR, 0, "the request to the upstream is larger than %d bytes",
                    REQUEST_SPACE);
        return false;
    }
    upload_head_made(x, &o);
    x->unsent = out_str_of(&o);
    return true;
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

    exchange_log(x, LOG_LEVEL_ERROR, errno,
                 l->connected || l->reused ? "send() failed" : "connect() failed");
    return exchange_next(x, NEXT_ERROR);
}

/* There is a connection, and nothing to be sent. */
static int begin_tunnel(struct exchange *x)
{
    if (!(x->link->connection.watch.ready & READY_WRITE))
        return STEP_WAIT;
    errno = link_connect_error(x->link);
    if (errno)
        return send_failed(x);
    upload_note_sent(x, 0);
    x->head.status = STATUS_OK;
    x->head.upgrade = true;
    return exchange_respond(x);
}

static int timed_out(struct exchange *x)
{
    exchange_log(x, LOG_LEVEL_ERROR, ETIMEDOUT, "upstream timed out");
    return exchange_next(x, NEXT_TIMEOUT);
}

/* More of the request.  STEP_NEXT: a look may be taken at what the peer says. */
static int send_on(struct exchange *x)
{
    switch (upload_run(x)) {
    case UPLOAD_DONE:
        timer_set(&x->link->connection.timer, x->conf->read_timeout);
        return STEP_NEXT;
    case UPLOAD_WAITS:
        keep_head(x);
        return x->head_sent ? STEP_NEXT : STEP_WAIT;
    case UPLOAD_FAILED:
        x->deaf = x->head_sent && (x->link->connection.watch.ready & READY_READ);
        return x->deaf ? STEP_NEXT : send_failed(x);   /* it may have answered before it closed */
    case UPLOAD_REFUSED:
        break;
    }
    exchange_release(x, false);
    return x->refused;
}

/* The handshake of TLS comes first. */
static int exchange_secure(struct exchange *x)
{
    struct tls_fault f;

    switch (link_secure(x->link, &f)) {
    case TLS_DONE:
        timer_set(&x->link->connection.timer, x->conf->send_timeout);
        return STEP_NEXT;
    case TLS_AGAIN:
        return STEP_WAIT;
    case TLS_FAILED:
        break;
    }
    exchange_log(x, LOG_LEVEL_ERROR, f.error, "%s while SSL handshaking to upstream", f.text);
    if (!f.ours)
        return exchange_next(x, NEXT_ERROR);
    exchange_release(x, false);
    return STATUS_INTERNAL_SERVER_ERROR;
}

static int exchange_send(struct exchange *x)
{
    if (x->link->timed_out)
        return timed_out(x);
    if (x->link->greeting) {
        int greeted = link_greet(x->link);
        if (greeted < 0)
            return greeted == IO_AGAIN ? STEP_WAIT : send_failed(x);
    }
    if (x->link->tls) {
        int secured = exchange_secure(x);
        if (secured != STEP_NEXT || !x->link)
            return secured;
    }
    if (!x->wire->put_head)
        return begin_tunnel(x);
    if (!x->unsent.len) {
        upload_start(x);
        if (!make_request(x)) {
            exchange_release(x, false);
            return STATUS_INTERNAL_SERVER_ERROR;
        }
    }
    int result = send_on(x);
    if (result == STEP_NEXT && x->link)
        x->state = EXCHANGE_HEAD;
    return result;
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
        exchange_log(x, x->link->reused && x->in.at == x->in.end ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR,
                    0, "upstream prematurely closed connection");
    else
        exchange_log(x, LOG_LEVEL_ERROR, errno, "recv() failed");
    return exchange_next(x, NEXT_ERROR);
}

/* How large the head is, as far as it has come: 0 where its end is not there. */
static size_t measure_head(struct exchange *x)
{
    size_t used = (size_t)(x->in.end - x->head_buffer->data), tail = used < 3 ? used : 3;
    struct str all = { request_space, tail };

    memcpy(request_space, x->in.end - tail, tail);
    ssize_t n = link_recv(x->link, request_space + tail, REQUEST_SPACE - tail);
    if (n > 0)
        all.len += (size_t)n;
    ptrdiff_t end = str_find(all, STR("\r\n\r\n"));
    return end < 0 ? 0 : used - tail + (size_t)end + 4;
}

static void log_large_head(struct exchange *x)
{
    size_t size = x->head_buffer ? measure_head(x) : 0, most = x->conf->buffer_size;

    if (size)
        exchange_log(x, LOG_LEVEL_ERROR, 0,
                     "upstream sent too big header: a buffer of %zu bytes would hold it, "
                     "%s_buffer_size is %zu", size, x->wire->directives, most);
    else
        exchange_log(x, LOG_LEVEL_ERROR, 0,
                     "upstream sent too big header: more than the %zu bytes of %s_buffer_size",
                     most, x->wire->directives);
}

static int exchange_head(struct exchange *x)
{
    struct link *l = x->link;

    if (l->timed_out)
        return timed_out(x);
    if (!x->request_sent && !x->deaf) {
        int result = send_on(x);
        if (result != STEP_NEXT || x->state != EXCHANGE_HEAD)
            return result;
    }
    for (;;) {
        if (!make_head_room(x)) {
            log_large_head(x);
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
        while (result == HEAD_INTERIM && x->interims++ < INTERIMS_MOST) {
            exchange_interim(x);
            result = x->wire->read_head(x);
        }
        if (result == HEAD_BAD || result == HEAD_INTERIM)
            return exchange_next(x, NEXT_INVALID_HEADER);
        if (result == HEAD_DONE)
            return exchange_respond(x);
    }
}

/* ---- all of it ---- */

static int read_body(struct exchange *x)
{
    int result = STEP_NEXT;

    if (upload_streams(x)) {
        result = body_begin(x->request);
        x->streaming = result == STEP_NEXT;
    } else if (x->conf->pass_request_body)
        result = body_read(x->request, false);
    if (result == STEP_NEXT)
        x->state = x->pick.group->by_name ? EXCHANGE_RESOLVE : EXCHANGE_CONNECT;
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
        case EXCHANGE_RESOLVE:
            result = exchange_resolve(x);
            break;
        case EXCHANGE_CONNECT:
            result = exchange_connect(x);
            break;
        case EXCHANGE_QUEUE:
            result = exchange_queue(x);
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
