/*
 * connection: a socket that the process serves or uses, and the transport (plain, TLS, QUIC) behind
 * which its bytes go.  The protocols embed it in structs of their own; all of them stand in one
 * list, so that a quitting worker can ask each to end.  Structs come from slabs: an idle connection
 * costs its struct and nothing else.
 */
#ifndef EVENT_CONNECTION_H
#define EVENT_CONNECTION_H

#include <sys/types.h>
#include <sys/uio.h>

#include "event/loop.h"
#include "event/timer.h"

struct connection;

/* What came of a read or write that moved nothing. */
enum io {
    IO_AGAIN = -1,         /* not now: the watch's bit is cleared, an event will come */
    IO_ERROR = -2,         /* errno says why */
};

/*
 * A transport moves bytes.  Each call returns bytes moved (recv: 0 is the end), or enum io.  They
 * clear READY_READ/READY_WRITE of the watch when they have used up what the kernel had.  Who sends
 * and hears IO_AGAIN begins the next call with the same bytes: they may be encrypted already.
 */
struct transport {
    const char *name;
    ssize_t (*recv)(struct connection *c, void *buffer, size_t size);
    ssize_t (*sendv)(struct connection *c, const struct iovec *iov, int count, bool more);
    /* From file descriptor `file` at *offset, which moves on. NULL: the owner reads and sends. */
    ssize_t (*sendfile)(struct connection *c, int file, off_t *offset, size_t size);
    /* Says goodbye (TLS close_notify) where the protocol has one; the socket is closed by the
     * caller. */
    void (*shutdown)(struct connection *c);
    void (*fini)(struct connection *c);
};

extern const struct transport transport_plain;

struct connection_kind {
    const char *name;
    size_t size;                       /* of the struct whose first member is the connection */
    /* The process wants to end: close if nothing is in flight, otherwise finish soon and close. */
    void (*drain)(struct connection *c);
    /* The bound of the wait is over (worker_shutdown_timeout), or memory is short: close now. */
    void (*abort)(struct connection *c);
    /* What it came through (a listener), and what it keeps alive (a generation); each function may
     * be NULL, and give NULL. */
    const void *(*origin)(const struct connection *c);
    const void *(*pin)(const struct connection *c);
};

struct connection {
    struct watch watch;
    struct timer timer;
    struct list link;                  /* in the list of its kind's connections */
    const struct connection_kind *kind;
    const struct transport *transport;
    void *transport_state;
    uint64_t number;                   /* "*5" in the log; unique among all workers of a master */
};

/* How many connections the process may hold (worker_connections), listening sockets not counted. */
void connection_set_limit(unsigned limit);
unsigned connection_count(void);
unsigned connection_limit(void);

/* A cleared struct of kind->size for `fd`, transport plain, not yet added to the loop.  NULL: the
 * limit is reached (errno EMFILE) or memory is short (ENOMEM); fd stays the caller's. */
void *connection_new(const struct connection_kind *kind, int fd, watch_handler *on_event,
                     timer_handler *on_timeout);
/* Removes it from the loop, closes the descriptor, frees the struct at the end of the turn. */
void connection_close(struct connection *c);
/* The same, and the peer gets a reset (SO_LINGER 0). */
void connection_reset(struct connection *c);
/* An idle connection (keep-alive, nothing in flight) may be closed when room is short. */
void connection_set_idle(struct connection *c, bool idle);
/* Calls abort() of up to `count` idle connections, those that have been idle longest first: how
 * many.  connection_new() does so by itself when the limit is reached. */
unsigned connection_close_idle(unsigned count);
/* Calls drain() or abort() of every connection. */
void connection_drain_all(void);
/* Whether that has been: what goes on by itself opens no more of them. */
bool connection_draining(void);
/* drain() of those that came through `origin`. */
void connection_drain_from(const void *origin);
/* abort() of those that keep `pin` alive: how many. */
unsigned connection_abort_pinning(const void *pin);
void connection_abort_all(void);

/* Shared by every process: numbers of connections; given by the master before it forks. */
struct connection_counters {
    _Atomic uint64_t next_number;
};
void connection_share_counters(struct connection_counters *shared);

#endif
