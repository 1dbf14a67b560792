/*
 * link: see link.h.
 */
#include "upstream/link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/os.h"
#include "upstream/keepalive.h"

static bool has_user(const struct link *l)
{
    return l->state == LINK_BUSY || (l->state == LINK_IDLE && l->owner);
}

static void link_on_event(struct watch *w)
{
    struct link *l = (struct link *)(void *)w;

    if (has_user(l))
        l->wake(l->owner);
    else if (l->state == LINK_IDLE && (w->ready & READY_READ))
        link_close(l);                         /* the end, or bytes that nobody asked for */
}

static void link_on_timeout(struct timer *t)
{
    struct link *l = CONTAINER(t, struct link, connection.timer);

    if (has_user(l)) {
        l->timed_out = true;
        l->wake(l->owner);
    } else if (l->state == LINK_IDLE)
        link_close(l);
}

/* A busy one is its user's, whose own end is the end of it. */
static void link_drain(struct connection *c)
{
    struct link *l = (struct link *)c;

    l->drain = true;
    if (l->state == LINK_IDLE && l->owner)
        l->wake(l->owner);
    else if (l->state == LINK_IDLE)
        link_close(l);
}

static const struct connection_kind link_kind = {
    .name = "upstream", .size = sizeof(struct link), .drain = link_drain, .abort = link_drain,
};

static bool set_options(int fd, const struct link_options *o)
{
    int on = 1;

    if (o->keepalive)
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    if (o->rcvbuf)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &o->rcvbuf, sizeof o->rcvbuf);
    if (o->sndbuf)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &o->sndbuf, sizeof o->sndbuf);
    if (!o->bind)
        return true;
    if (o->transparent && !os_set_transparent(fd, o->bind->any.sa_family))
        return false;
    if (address_port(o->bind) == 0)
        os_choose_port_late(fd);
    return bind(fd, &o->bind->any, o->bind->len) == 0;
}

static int open_socket(const struct address *to, const struct link_options *options)
{
    int fd = os_socket(to->any.sa_family, SOCK_STREAM, 0);

    if (fd < 0)
        return -1;
    if (set_options(fd, options) &&
        (connect(fd, &to->any, to->len) == 0 || errno == EINPROGRESS))
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

struct link *link_open(const struct address *to, const struct link_options *options,
                       void (*wake)(void *owner), void *owner)
{
    int fd = open_socket(to, options);
    struct link *l = fd < 0 ? NULL
                            : connection_new(&link_kind, fd, link_on_event, link_on_timeout);

    if (!l) {
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    l->wake = wake;
    l->owner = owner;
    l->start_ms = clock_ms();
    l->address = *to;
    list_init(&l->place);
    if ((options->greeting && !(l->greeting = strdup(options->greeting))) ||
        (options->tls && !(l->tls = tls_peer_copy(options->tls)))) {
        link_close(l);
        errno = ENOMEM;
        return NULL;
    }
    if (!loop_add(&l->connection.watch)) {
        link_close(l);
        return NULL;
    }
    return l;
}

void link_init_stream(struct link *l, const struct transport *transport, void (*end)(struct link *l),
                      void (*wake)(void *owner), void *owner)
{
    watch_init(&l->connection.watch, -1, link_on_event);
    timer_init(&l->connection.timer, link_on_timeout);
    list_init(&l->connection.link);
    list_init(&l->place);
    l->connection.transport = transport;
    l->start_ms = clock_ms();
    l->end = end;
    l->wake = wake;
    l->owner = owner;
}

int link_connect_error(const struct link *l)
{
    int error = 0;
    socklen_t size = sizeof error;

    if (getsockopt(l->connection.watch.fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        error = errno;
    return error;
}

int link_greet(struct link *l)
{
    struct str line = str_of(l->greeting);
    ssize_t n = link_send(l, line, true);

    if (n < 0)
        return (int)n;
    if ((size_t)n < line.len) {                /* there is room for it in a socket that is new */
        errno = EPIPE;
        return IO_ERROR;
    }
    free(l->greeting);
    l->greeting = NULL;
    return 1;
}

static bool connect_failed(const struct link *l, struct tls_fault *f)
{
    int error = link_connect_error(l);

    *f = (struct tls_fault){ .level = LOG_LEVEL_ERROR, .error = error, .text = "connect() failed" };
    return error != 0;
}

enum tls_result link_secure(struct link *l, struct tls_fault *f)
{
    struct connection *c = &l->connection;

    if (!l->handshaking) {
        if (!(c->watch.ready & READY_WRITE))
            return TLS_AGAIN;
        if (connect_failed(l, f) || !tls_connect(c, l->tls, &l->address, f))
            return TLS_FAILED;
        l->handshaking = true;
        f->ours = false;
    }
    enum tls_result result = tls_handshake(c, f);
    if (result != TLS_DONE)
        return result;
    if (!tls_peer_check(c, l->tls, f))
        return TLS_FAILED;
    tls_peer_free(l->tls);
    l->tls = NULL;
    return TLS_DONE;
}

void link_finish(struct link *l)
{
    struct connection *c = &l->connection;

    if (c->transport->shutdown)
        c->transport->shutdown(c);
    if (c->watch.fd >= 0)
        shutdown(c->watch.fd, SHUT_WR);
}

void link_abort(struct link *l)
{
    struct linger abrupt = { .l_onoff = 1, .l_linger = 0 };
    int fd = l->connection.watch.fd;

    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt);
}

void link_close(struct link *l)
{
    free(l->greeting);
    l->greeting = NULL;
    tls_peer_free(l->tls);
    l->tls = NULL;
    if (l->state == LINK_IDLE && l->pool)
        keepalive_forget(l);
    l->state = LINK_CLOSED;
    if (l->end)
        l->end(l);
    else
        connection_close(&l->connection);
}
