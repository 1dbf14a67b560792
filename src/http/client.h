/*
 * client: a connection from a client, from accept to close.  client_on_event() is its one entry and
 * switches on an explicit state; client_set_state() alone changes it and asserts that the edge is
 * legal.  An idle client is this struct and no buffer.
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include "base/str.h"
#include "event/connection.h"
#include "net/address.h"

struct generation;
struct listener;
struct request;
struct buffer;
struct proxy_protocol;
struct core_conf;
struct v2;
struct ocsp_check;

enum client_state {
    CLIENT_PREFACE,        /* waiting for a PROXY protocol header */
    CLIENT_HANDSHAKE,      /* of TLS */
    CLIENT_IDLE,           /* between requests: no buffer, no arena */
    CLIENT_HEAD,           /* a request's head has begun to come */
    CLIENT_REQUEST,        /* a request is being served */
    CLIENT_V2_IDLE,        /* HTTP/2 without a stream */
    CLIENT_V2,             /* HTTP/2: requests are being served */
    CLIENT_LINGER,         /* our side is shut: reading away what comes, then close */
    CLIENT_CLOSED,
    CLIENT_STATES,
};

struct client {
    struct connection connection;
    struct listener *listener;
    struct request *request;           /* the one under way (HTTP/1); NULL while idle */
    struct v2 *v2;                     /* what HTTP/2 keeps; NULL: it is not spoken */
    struct buffer *in;                 /* bytes read and not yet used; NULL: none */
    struct proxy_protocol *proxied;    /* what a PROXY header said; NULL without one */
    struct ocsp_check *check;          /* of its certificate, behind the handshake; NULL: none is made */
    struct peer peer;
    uint8_t state;                     /* enum client_state */
    bool drain;                        /* no further request: the process or the listener ends */
    bool waits;                        /* the timer is the request's; else it is none of its */
    bool idle;                         /* listed as one that may be closed when room is short */
    bool nodelay, sndlowat;            /* these options of the socket are set */
    uint32_t requests;                 /* begun on this connection */
    struct generation *accepted;       /* pinned until the first request */
    uint64_t start_ms;
    uint64_t bound_ms;                 /* of lingering; idle: kept so long though draining */
};

void client_set_state(struct client *c, enum client_state state);
static inline struct client *client_of(struct watch *w)
{
    return (struct client *)(void *)w;
}

/* Reads what has come, at most `size` bytes: more than 0, 0 at the end, or enum io. */
static inline ssize_t client_recv(struct client *c, void *space, size_t size)
{
    if (!(c->connection.watch.ready & READY_READ))
        return IO_AGAIN;
    return c->connection.transport->recv(&c->connection, space, size);
}

/* For listeners: takes the descriptor. */
void client_accept(struct listener *l, int fd, const struct address *peer);
/* Nothing has come between requests: this one may be closed when room is short. */
void client_now_idle(struct client *c);
void client_now_busy(struct client *c);
/* One more request of it, which gets its number. */
void client_count_request(struct client *c, struct request *r);
/* A request has begun to come; `c->request` is set. */
void client_request_begun(struct client *c, struct request *r);
/* The rest of its head is awaited, as long as client_header_timeout allows in all. */
void client_await_head(struct client *c);
/* Its head is there. */
void client_request_complete(struct client *c);
/* The request waits, `ms` at most: then its timed_out is set and it runs. */
static inline void client_wait(struct client *c, uint64_t ms)
{
    c->waits = true;
    timer_set(&c->connection.timer, ms);
}

/* The timer, if it runs, means nothing any more. */
static inline void client_wait_no_more(struct client *c)
{
    c->waits = false;
}

/* What becomes of the connection when its request has ended. */
enum client_after {
    CLIENT_KEEP,           /* it may serve another request */
    CLIENT_FINISH,         /* close, lingering where the peer may still be sending */
    CLIENT_DROP,           /* close at once */
};
void client_request_ended(struct client *c, enum client_after after);
/* tcp_nodelay: small answers do not wait for the acknowledgement of those before them. */
void client_set_nodelay(struct client *c, const struct core_conf *conf);
/* Closes, lingering where the peer may still be sending. */
void client_finish(struct client *c, const struct core_conf *conf, bool sending);
/* Runs the client in this turn of the loop. */
void client_wake(struct client *c);
void client_close(struct client *c);

/* ", client: 1.2.3.4, server: 0.0.0.0:80" for the log. */
void client_describe(const void *client, struct out *o);
void client_log(const struct client *c, int level, int error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
