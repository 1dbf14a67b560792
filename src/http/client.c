/*
 * client: see client.h.  Knows when bytes are to be read and when to close; what bytes mean is v1's.
 */
#include "http/client.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/error_log.h"
#include "http/buffer.h"
#include "http/core.h"
#include "http/request.h"
#include "http/v1/v1.h"

/* How many requests and reads a client may have in one turn before others get theirs. */
enum { MAX_STEPS = 64 };

#define EDGE(state) (1u << (state))

/* The states that may follow each state. */
static const unsigned edges[CLIENT_STATES] = {
    [CLIENT_PREFACE] = EDGE(CLIENT_HANDSHAKE) | EDGE(CLIENT_IDLE) | EDGE(CLIENT_CLOSED),
    [CLIENT_HANDSHAKE] = EDGE(CLIENT_IDLE) | EDGE(CLIENT_CLOSED),
    [CLIENT_IDLE] = EDGE(CLIENT_HEAD) | EDGE(CLIENT_CLOSED),
    [CLIENT_HEAD] = EDGE(CLIENT_REQUEST) | EDGE(CLIENT_IDLE) | EDGE(CLIENT_CLOSED),
    [CLIENT_REQUEST] = EDGE(CLIENT_IDLE) | EDGE(CLIENT_LINGER) | EDGE(CLIENT_CLOSED),
    [CLIENT_LINGER] = EDGE(CLIENT_CLOSED),
    [CLIENT_CLOSED] = 0,
};

static void client_on_event(struct watch *w);
static void client_on_timeout(struct timer *t);
static void client_drain(struct connection *connection);
static void client_abort(struct connection *connection);

static const struct connection_kind client_kind = {
    "client", sizeof(struct client), client_drain, client_abort,
};

void client_set_state(struct client *c, enum client_state state)
{
    assert(edges[c->state] & EDGE(state));
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

void client_close(struct client *c)
{
    client_set_state(c, CLIENT_CLOSED);
    if (c->in) {
        buffer_free(c->in);
        c->in = NULL;
    }
    listener_connection_closed(c->listener);
    connection_close(&c->connection);
}

/* Closes, or resets where the peer was too slow and reset_timedout_connection is on. */
static void close_timed_out(struct client *c, const struct core_conf *conf)
{
    if (conf->reset_timedout_connection) {
        struct linger reset = { 1, 0 };
        setsockopt(c->connection.watch.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    }
    client_close(c);
}

/* Reads away what comes: true when the client is closed. */
static bool client_linger(struct client *c)
{
    char waste[4096];
    ssize_t n;

    while ((n = client_recv(c, waste, sizeof waste)) > 0) {
        if (clock_ms() >= c->bound_ms)
            break;
    }
    if (n == IO_AGAIN) {
        uint64_t left = c->bound_ms - clock_ms(), wait = core_conf(client_conf(c))->lingering_timeout;
        timer_set(&c->connection.timer, left < wait ? left : wait);
        return false;
    }
    client_close(c);
    return true;
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
        case CLIENT_LINGER:
            moved = client_linger(c);
            break;
        case CLIENT_PREFACE:
        case CLIENT_HANDSHAKE:
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
        c->timed_out = true;
        client_run(c);
        break;
    case CLIENT_HEAD:
        client_log(c, LOG_LEVEL_INFO, ETIMEDOUT, "client timed out while sending a request's head");
        c->request->response.status = STATUS_REQUEST_TIMEOUT;
        if (core_conf(client_conf(c))->reset_timedout_connection) {
            struct linger reset = { 1, 0 };
            setsockopt(c->connection.watch.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        }
        request_end(c->request, CLIENT_DROP);
        break;
    case CLIENT_PREFACE:
    case CLIENT_HANDSHAKE:
    case CLIENT_IDLE:
        close_timed_out(c, core_conf(client_conf(c)));
        break;
    case CLIENT_LINGER:
        client_close(c);
        break;
    case CLIENT_CLOSED:
    case CLIENT_STATES:
        break;
    }
}

/* The process ends: an idle client is closed, a busy one after its request. */
static void client_drain(struct connection *connection)
{
    struct client *c = (struct client *)connection;

    c->drain = true;
    if (c->state != CLIENT_IDLE)
        return;
    if (clock_ms() < c->bound_ms)              /* keepalive_min_timeout */
        timer_set(&connection->timer, c->bound_ms - clock_ms());
    else
        client_close(c);
}

static void client_abort(struct connection *connection)
{
    struct client *c = (struct client *)connection;

    if (c->request)
        request_end(c->request, CLIENT_DROP);
    else if (c->state != CLIENT_CLOSED)
        client_close(c);
}

void client_accept(struct listener *l, int fd, const struct address *peer)
{
    struct client *c = connection_new(&client_kind, fd, client_on_event, client_on_timeout);

    if (!c) {
        log_note(LOG_LEVEL_ALERT, 0, "%u worker_connections are not enough", connection_limit());
        close(fd);
        return;
    }
    c->listener = l;
    l->connections++;
    c->peer = peer_of(peer);
    c->state = CLIENT_IDLE;
    c->start_ms = clock_ms();
    timer_set(&c->connection.timer, server_conf(client_conf(c))->client_header_timeout);
    /* The request is usually there by now: a connection that is served at once and closed again never
     * needs to be registered with the kernel. */
    c->connection.watch.ready = READY_READ | READY_WRITE;
    client_run(c);
    if (c->state != CLIENT_CLOSED && !loop_add(&c->connection.watch)) {
        client_log(c, LOG_LEVEL_ALERT, errno, "the connection could not be watched");
        client_abort(&c->connection);
    }
}

void client_request_begun(struct client *c, struct request *r)
{
    c->request = r;
    c->timed_out = false;
    c->requests++;
    client_set_state(c, CLIENT_HEAD);
    timer_set(&c->connection.timer, server_conf(client_conf(c))->client_header_timeout);
}

/* Small answers must not wait for the acknowledgement of those before them. */
static void set_nodelay(struct client *c)
{
    int on = 1;

    c->nodelay = true;
    if (c->peer.family != AF_UNIX)
        setsockopt(c->connection.watch.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void client_keep(struct client *c, const struct core_conf *conf)
{
    if (conf->tcp_nodelay && !c->nodelay)
        set_nodelay(c);
    c->bound_ms = conf->keepalive_min_timeout ? clock_ms() + conf->keepalive_min_timeout : 0;
    timer_set(&c->connection.timer, conf->keepalive_timeout.timeout);
    client_set_state(c, CLIENT_IDLE);
}

static void client_finish(struct client *c, const struct core_conf *conf)
{
    bool more = (c->in && buffer_len(c->in)) || (c->connection.watch.ready & READY_READ);

    if (conf->lingering_close == LINGERING_OFF || (conf->lingering_close == LINGERING_ON && !more) ||
        shutdown(c->connection.watch.fd, SHUT_WR) < 0) {
        client_close(c);
        return;
    }
    client_set_state(c, CLIENT_LINGER);
    c->bound_ms = clock_ms() + conf->lingering_time;
    timer_set(&c->connection.timer, conf->lingering_timeout);
}

void client_request_ended(struct client *c, enum client_after after)
{
    const struct core_conf *conf = core_conf(c->request->conf);

    v1_release(c, c->request);
    c->request = NULL;
    if (c->state == CLIENT_HEAD)               /* never got as far as a request */
        after = CLIENT_DROP;
    switch (after) {
    case CLIENT_KEEP:
        client_keep(c, conf);
        break;
    case CLIENT_FINISH:
        client_finish(c, conf);
        break;
    case CLIENT_DROP:
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
