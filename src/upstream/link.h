/*
 * link: a connection to a peer, from connect() to close, and the time between two uses when it lies
 * idle in a pool.  Who uses it is told that something has happened and looks at the watch's bits; the
 * bytes are its own affair.  A stream of a connection that many users share is a link too, whose
 * transport is the shared connection's.
 */
#ifndef UPSTREAM_LINK_H
#define UPSTREAM_LINK_H

#include "event/connection.h"
#include "net/address.h"
#include "net/tls_client.h"

struct idle_pool;

/* An idle link that has an owner is told of events as a busy one is: it may be closed, but for that. */
enum link_state { LINK_BUSY, LINK_IDLE, LINK_CLOSED };

struct link {
    struct connection connection;
    enum link_state state;
    bool reused;                       /* it has served before: the peer may have closed it meanwhile */
    bool drain;                        /* the process ends: no further use */
    bool timed_out;                    /* the timer has struck; the user takes it back */
    bool connected;                    /* bytes have been sent */
    bool refused;                      /* the peer says that it did nothing: it may be asked once more */
    uint32_t key;                      /* only for users of the same key; 0: for all */
    uint32_t requests;                 /* served so far */
    uint64_t start_ms;
    void (*wake)(void *owner);         /* of the user: an event, or the timer */
    void *owner;
    void (*end)(struct link *l);       /* of a stream: what link_close() does; NULL: a socket's */
    struct list place;                 /* in the pool, while idle */
    struct idle_pool *pool;
    struct address address;
    char *greeting;                    /* a line that the connection begins with; NULL: none, or sent */
    struct tls_peer *tls;              /* of the handshake that is still to come; NULL: none is */
    bool handshaking;                  /* it has begun */
};

struct link_options {
    const struct address *bind;        /* NULL: as the system chooses */
    bool transparent;                  /* that address need not be this machine's */
    bool keepalive;                    /* SO_KEEPALIVE */
    int rcvbuf, sndbuf;                /* bytes; 0: as the system has it */
    const char *greeting;              /* in clear, before all else; NULL: nothing */
    const struct tls_peer *tls;        /* NULL: in clear */
};

/* Begins to connect: NULL and errno where that fails at once.  With READY_WRITE the connect has ended:
 * the first send says how. */
struct link *link_open(const struct address *to, const struct link_options *options,
                       void (*wake)(void *owner), void *owner);
void link_close(struct link *l);
/* We say no more; the peer may. */
void link_finish(struct link *l);
/* When the link is closed the peer gets a reset. */
void link_abort(struct link *l);
/* How the connect of a socket's link ended, which READY_WRITE tells of: 0, or an errno. */
int link_connect_error(const struct link *l);
/* Where l->greeting is set: connects and sends it, before any other byte.  1: done; or enum io. */
int link_greet(struct link *l);
/* Where l->tls is set: connects and shakes hands, before any byte of the user's.  TLS_DONE: l->tls is gone, and
 * the link ready for use. */
enum tls_result link_secure(struct link *l, struct tls_fault *f);
/* A cleared link that has no descriptor: a stream, whose bytes `transport` moves and which `end` closes.
 * The transport sets its ready bits. */
void link_init_stream(struct link *l, const struct transport *transport, void (*end)(struct link *l),
                      void (*wake)(void *owner), void *owner);

/* More than 0: bytes; 0: the end; or enum io. */
static inline ssize_t link_recv(struct link *l, void *space, size_t size)
{
    struct connection *c = &l->connection;

    if (!(c->watch.ready & READY_READ))
        return IO_AGAIN;
    return c->transport->recv(c, space, size);
}

/* How many bytes were taken, or enum io; `more`: others follow at once. */
static inline ssize_t link_send(struct link *l, struct str text, bool more)
{
    struct connection *c = &l->connection;
    struct iovec iov = { (void *)(uintptr_t)text.data, text.len };

    if (!(c->watch.ready & READY_WRITE))
        return IO_AGAIN;
    return c->transport->sendv(c, &iov, 1, more);
}

#endif
