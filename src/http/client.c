/*
 * client: see client.h.  Knows when bytes are to be read and when to close; what bytes mean is
 * v1's.
 */
#include "http/client.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/stats.h"
#include "config/error_log.h"
#include "config/generation.h"
#include "http/buffer.h"
#include "http/core.h"
#include "http/request.h"
#include "http/v1/v1.h"
#include "http/v2/v2.h"
#include "http/modules/ssl/ssl.h"
#include "modules_enabled.h"
#include "net/proxy_protocol.h"

/* How many requests and reads a client may have in one turn before others get theirs. */
enum {
    MAX_STEPS = 64,
    FIRST_REQUEST_MS = 1000,   /* of grace for a fresh client when the process ends */
};

#define EDGE(state) (1u << (state))

/* The states that may follow each state. */
static const unsigned edges[CLIENT_STATES] = {
    [CLIENT_PREFACE] = EDGE(CLIENT_HANDSHAKE) | EDGE(CLIENT_IDLE) | EDGE(CLIENT_CLOSED),
    [CLIENT_HANDSHAKE] = EDGE(CLIENT_IDLE) | EDGE(CLIENT_CLOSED),
    [CLIENT_IDLE] = EDGE(CLIENT_HEAD) | EDGE(CLIENT_V2_IDLE) | EDGE(CLIENT_CLOSED),
    [CLIENT_HEAD] = EDGE(CLIENT_REQUEST) | EDGE(CLIENT_IDLE) | EDGE(CLIENT_CLOSED),
    [CLIENT_REQUEST] = EDGE(CLIENT_IDLE) | EDGE(CLIENT_LINGER) | EDGE(CLIENT_CLOSED),
    [CLIENT_V2_IDLE] = EDGE(CLIENT_V2) | EDGE(CLIENT_LINGER) | EDGE(CLIENT_CLOSED),
    [CLIENT_V2] = EDGE(CLIENT_V2_IDLE) | EDGE(CLIENT_LINGER) | EDGE(CLIENT_CLOSED),
    [CLIENT_LINGER] = EDGE(CLIENT_CLOSED),
    [CLIENT_CLOSED] = 0,
};

static void client_on_event(struct watch *w);
static void client_on_timeout(struct timer *t);
static void client_drain(struct connection *connection);
static void client_abort(struct connection *connection);

static const void *client_origin(const struct connection *connection)
{
    return ((const struct client *)connection)->listener;
}

static const void *client_pin(const struct connection *connection)
{
    const struct client *c = (const struct client *)connection;

    IF_MODULE_v2(if (c->v2)
        return v2_pin(c);)
    return c->request ? c->request->generation : c->accepted;
}

static const struct connection_kind client_kind = {
    "client", sizeof(struct client), client_drain, client_abort, client_origin, client_pin,
};

/* What a client in each state is counted as. */
static const enum stat counted_as[CLIENT_STATES] = {
    [CLIENT_PREFACE] = STAT_READING,
    [CLIENT_HANDSHAKE] = STAT_READING,
    [CLIENT_IDLE] = STAT_WAITING,
    [CLIENT_HEAD] = STAT_READING,
    [CLIENT_REQUEST] = STAT_WRITING,
    [CLIENT_V2_IDLE] = STAT_WAITING,
    [CLIENT_V2] = STAT_WRITING,
    [CLIENT_LINGER] = STAT_WRITING,
};

void client_set_state(struct client *c, enum client_state state)
{
    assert(edges[c->state] & EDGE(state));
    stats_add(counted_as[c->state], -1);
    if (state != CLIENT_CLOSED)
        stats_add(counted_as[state], 1);
    c->state = (uint8_t)state;
}

static const struct http_listen *client_listen(const struct client *c)
{
    return c->listener->spec->object;
}

/* The settings that hold before a request has named its server. */
static void **client_conf(const struct client *c)
{
    return client_listen(c)->default_server->root.conf;
}

/* From its first request on a client keeps no generation alive, its requests do. */
static void unpin(struct client *c)
{
    if (c->accepted)
        generation_unref(c->accepted);
    c->accepted = NULL;
}

static void client_let_go(struct client *c)
{
    client_set_state(c, CLIENT_CLOSED);
    IF_MODULE_ssl(ssl_abandon(c);)
    unpin(c);
    if (c->in) {
        buffer_free(c->in);
        c->in = NULL;
    }
    free(c->proxied);
    c->proxied = NULL;
    listener_connection_closed(c->listener);
}

void client_close(struct client *c)
{
    client_let_go(c);
    connection_close(&c->connection);
}

static void client_reset(struct client *c)
{
    client_let_go(c);
    connection_reset(&c->connection);
}

/* Waits for more to read away: false when the client is closed. */
static bool linger_on(struct client *c)
{
    uint64_t now = clock_ms(), wait = core_conf(client_conf(c))->lingering_timeout;

    if (now >= c->bound_ms) {
        client_close(c);
        return false;
    }
    timer_set(&c->connection.timer, c->bound_ms - now < wait ? c->bound_ms - now : wait);
    return true;
}

/* Reads away some of what comes: true when there may be more. */
static bool client_linger(struct client *c)
{
    char waste[16384];
    ssize_t n = client_recv(c, waste, sizeof waste);

    if (n == IO_AGAIN) {
        linger_on(c);
        return false;
    }
    if (n > 0)
        return clock_ms() < c->bound_ms || linger_on(c);
    client_close(c);
    return false;
}

/* A PROXY header that is no good, or the end before its end. */
static bool preface_broken(struct client *c, struct str text)
{
    if (text.len)
        client_log(c, LOG_LEVEL_ERROR, 0, "broken header: \"%.*s\"",
                   STR_ARG(str_first(text, text.len < 128 ? text.len : 128)));
    client_close(c);
    return false;
}

/* More of the PROXY header that this listener's clients begin with.  Not a byte behind it is taken:
 * what follows may be for TLS.  true: something has moved. */
static bool client_preface(struct client *c)
{
    struct connection *connection = &c->connection;
    struct proxy_header header;
    size_t used = 0;

    if (!(connection->watch.ready & READY_READ))
        return false;
    if (!c->in && !(c->in = buffer_new(BUFFER_SIZE)))
        return preface_broken(c, STR(""));
    struct buffer *b = c->in;
    ssize_t n = recv(connection->watch.fd, b->end, buffer_room(b), MSG_PEEK);
    if (n < 0 && errno == EAGAIN) {
        connection->watch.ready &= (uint8_t)~READY_READ;
        return false;
    }
    struct str text = { b->data, buffer_len(b) + (n > 0 ? (size_t)n : 0) };
    enum proxy_result result = n > 0 ? proxy_protocol_parse(text, &header, &used) : PROXY_BAD;
    if (result == PROXY_BAD || (result == PROXY_MORE && (size_t)n == buffer_room(b)))
        return preface_broken(c, text);
    b->end += client_recv(c, b->end, result == PROXY_MORE ? (size_t)n : used - buffer_len(b));
    if (result == PROXY_MORE)
        return true;
    if (header.proxied && !(c->proxied = proxy_protocol_new(&header)))
        return preface_broken(c, STR(""));
    buffer_free(b);
    c->in = NULL;
    client_set_state(c, client_listen(c)->tls ? CLIENT_HANDSHAKE : CLIENT_IDLE);
    return true;
}

/* TLS, before the first request. */
static bool client_handshake(struct client *c)
{
    enum ssl_progress result = SSL_FAILED;

    IF_MODULE_ssl(result = ssl_handshake(c);)
    switch (result) {
    case SSL_READY:
    case SSL_READY_V2:
    case SSL_PLAIN:                            /* each request is refused by 497 */
        client_set_state(c, CLIENT_IDLE);
        timer_set(&c->connection.timer, server_conf(client_conf(c))->client_header_timeout);
        IF_MODULE_v2(if (result == SSL_READY_V2 && !v2_begin(c))
            break;)
        if (c->drain)                          /* so it was told while nobody could tell the client */
            client_drain(&c->connection);
        return c->state != CLIENT_CLOSED;
    case SSL_WAIT:
        return false;
    case SSL_FAILED:
        break;
    }
    client_close(c);
    return false;
}

static void client_run(struct client *c)
{
    for (unsigned n = 0; n < MAX_STEPS; n++) {
        bool moved = false;
        switch ((enum client_state)c->state) {
        case CLIENT_IDLE:
        case CLIENT_HEAD:
            moved = v1_read_head(c);
            break;
        case CLIENT_REQUEST:
            moved = request_run(c->request);
            break;
        case CLIENT_V2_IDLE:
        case CLIENT_V2:
            IF_MODULE_v2(moved = v2_run(c);)
            break;
        case CLIENT_LINGER:
            moved = client_linger(c);
            break;
        case CLIENT_PREFACE:
            moved = client_preface(c);
            break;
        case CLIENT_HANDSHAKE:
            moved = client_handshake(c);
            break;
        case CLIENT_CLOSED:
        case CLIENT_STATES:
            return;
        }
        if (!moved)
            return;
    }
    if (c->state != CLIENT_CLOSED)
        loop_post(&c->connection.watch);
}

static void client_on_event(struct watch *w)
{
    client_run(client_of(w));
}

void client_wake(struct client *c)
{
    loop_post(&c->connection.watch);
}

/* The peer was silent for too long. */
static void client_on_timeout(struct timer *t)
{
    struct client *c = CONTAINER(t, struct client, connection.timer);

    switch ((enum client_state)c->state) {
    case CLIENT_REQUEST:                       /* the request says what it was waiting for */
        if (!c->waits)
            break;
        c->waits = false;
        c->request->timed_out = true;
        client_run(c);
        break;
    case CLIENT_HEAD:
        c->request->timed_out = true;
        client_log(c, LOG_LEVEL_INFO, ETIMEDOUT, "client timed out while sending a request's head");
        c->request->response.status = STATUS_REQUEST_TIMEOUT;
        request_end(c->request, CLIENT_DROP);
        break;
    case CLIENT_V2_IDLE:
    case CLIENT_V2:
        IF_MODULE_v2(v2_timeout(c);)
        break;
    case CLIENT_HANDSHAKE:
        client_log(c, LOG_LEVEL_INFO, ETIMEDOUT, "client timed out while SSL handshaking");
        client_close(c);
        break;
    case CLIENT_PREFACE:
    case CLIENT_IDLE:
    case CLIENT_LINGER:
        client_close(c);
        break;
    case CLIENT_CLOSED:
    case CLIENT_STATES:
        break;
    }
}

/* Whether bytes have come that nobody has looked at yet. */
static bool has_input(const struct client *c)
{
    char byte;

    return recv(c->connection.watch.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* The process ends: an idle client is closed, a busy one after its request. */
static void client_drain(struct connection *connection)
{
    struct client *c = (struct client *)connection;

    c->drain = true;
    IF_MODULE_v2(if (c->v2)
        v2_drain(c);)
    if (c->state != CLIENT_IDLE || has_input(c))
        return;                                /* a request is on its way */
    if (c->requests == 0)                      /* and here it may be */
        timer_set(&connection->timer, FIRST_REQUEST_MS);
    else if (clock_ms() < c->bound_ms)         /* keepalive_min_timeout */
        timer_set(&connection->timer, c->bound_ms - clock_ms());
    else
        client_close(c);
}

static void client_abort(struct connection *connection)
{
    struct client *c = (struct client *)connection;

    IF_MODULE_v2(if (c->v2) {
        v2_abort(c);
        return;
    })
    if (c->request)
        request_end(c->request, CLIENT_DROP);
    else if (c->state != CLIENT_CLOSED)
        client_close(c);
}

void client_accept(struct listener *l, int fd, const struct address *peer)
{
    struct client *c = connection_new(&client_kind, fd, client_on_event, client_on_timeout);

    stats_add(STAT_ACCEPTED, 1);
    if (!c) {
        if (errno == EMFILE)
            log_note(LOG_LEVEL_ALERT, 0, "%u worker_connections are not enough", connection_limit());
        else
            log_note(LOG_LEVEL_ALERT, errno, "a connection can't be taken");
        close(fd);
        listener_connection_closed(l);
        return;
    }
    stats_add(STAT_HANDLED, 1);
    c->listener = l;
    c->peer = peer_of(peer);
    c->state = client_listen(c)->proxy_protocol ? CLIENT_PREFACE
               : client_listen(c)->tls          ? CLIENT_HANDSHAKE
                                                : CLIENT_IDLE;
    stats_add(counted_as[c->state], 1);
    c->start_ms = clock_ms();
    c->accepted = generation_ref(l->spec->generation);
    timer_set(&c->connection.timer, server_conf(client_conf(c))->client_header_timeout);
    /* The request is usually there by now: a connection that is served at once and closed again
     * never needs to be registered with the kernel. */
    c->connection.watch.ready = READY_READ | READY_WRITE;
    client_run(c);
    if (c->state != CLIENT_CLOSED && !loop_add(&c->connection.watch)) {
        client_log(c, LOG_LEVEL_ALERT, errno, "the connection could not be watched");
        client_abort(&c->connection);
    }
}

void client_now_idle(struct client *c)
{
    if (c->idle || clock_ms() < c->bound_ms)   /* keepalive_min_timeout */
        return;
    connection_set_idle(&c->connection, true);
    c->idle = true;
}

void client_now_busy(struct client *c)
{
    if (c->idle)
        connection_set_idle(&c->connection, false);
    c->idle = false;
}

void client_count_request(struct client *c, struct request *r)
{
    r->number = ++c->requests;
    unpin(c);
    stats_add(STAT_REQUESTS, 1);
}

void client_request_begun(struct client *c, struct request *r)
{
    client_now_busy(c);
    c->request = r;
    c->waits = false;
    c->bound_ms = 0;
    client_count_request(c, r);
    client_set_state(c, CLIENT_HEAD);
}

void client_await_head(struct client *c)
{
    if (!c->waits)
        client_wait(c, server_conf(client_conf(c))->client_header_timeout);
}

void client_request_complete(struct client *c)
{
    client_wait_no_more(c);
    client_set_state(c, CLIENT_REQUEST);
}

void client_set_nodelay(struct client *c, const struct core_conf *conf)
{
    int on = 1;

    if (!conf->tcp_nodelay || c->nodelay)
        return;
    c->nodelay = true;
    if (c->peer.family != AF_UNIX)
        setsockopt(c->connection.watch.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void client_keep(struct client *c, const struct core_conf *conf)
{
    client_set_nodelay(c, conf);
    c->bound_ms = conf->keepalive_min_timeout ? clock_ms() + conf->keepalive_min_timeout : 0;
    timer_set(&c->connection.timer, conf->keepalive_timeout.timeout);
    client_set_state(c, CLIENT_IDLE);
}

/* Whether the peer may still be sending: closing now would reset the connection, and with it what
 * the peer has not yet read of the response. */
static bool may_send(const struct client *c, bool body_left)
{
    return body_left || (c->in && buffer_len(c->in)) || (c->connection.watch.ready & READY_READ);
}

void client_finish(struct client *c, const struct core_conf *conf, bool sending)
{
    if (c->connection.transport->shutdown)
        c->connection.transport->shutdown(&c->connection);
    if (conf->lingering_close == LINGERING_OFF ||
        (conf->lingering_close == LINGERING_ON && !may_send(c, sending)) ||
        shutdown(c->connection.watch.fd, SHUT_WR) < 0) {
        client_close(c);
        return;
    }
    if (c->in) {
        buffer_free(c->in);
        c->in = NULL;
    }
    client_set_state(c, CLIENT_LINGER);
    c->bound_ms = clock_ms() + conf->lingering_time;
    linger_on(c);
}

void client_request_ended(struct client *c, enum client_after after)
{
    const struct request *r = c->request;
    const struct core_conf *conf = core_conf(r->conf);
    bool body_left = v1_body_left(r);
    bool reset = conf->reset_timedout_connection &&
                 (r->timed_out || r->response.status == STATUS_CLOSE);
    bool cut_off = v1_is_cut_off(r);

    v1_release(c, c->request);
    c->request = NULL;
    if (c->state == CLIENT_HEAD)               /* never got as far as a request */
        after = CLIENT_DROP;
    switch (after) {
    case CLIENT_KEEP:
        client_keep(c, conf);
        if (c->drain || c->listener->removed)
            client_drain(&c->connection);
        break;
    case CLIENT_FINISH:
        client_finish(c, conf, body_left);
        break;
    case CLIENT_DROP:
        if (reset || cut_off)
            client_reset(c);
        else
            client_close(c);
        break;
    }
}

void client_describe(const void *object, struct out *o)
{
    const struct client *c = object;

    OUT_LITERAL(o, ", client: ");
    peer_put_ip(o, &c->peer);
    OUT_LITERAL(o, ", server: ");
    out_str(o, c->listener->spec->text);
}

void client_log(const struct client *c, int level, int error, const char *format, ...)
{
    const struct error_log_conf *conf = CONF(client_conf(c), error_log_module);
    const struct log *log = &conf->log;
    struct log_scope scope = { c->connection.number, c, client_describe };
    va_list args;

    if (!log_enabled(log, (enum log_level)level))
        return;
    va_start(args, format);
    log_vwrite(log, (enum log_level)level, error, &scope, format, args);
    va_end(args);
}
