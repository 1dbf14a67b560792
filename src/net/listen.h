/*
 * listen: listening sockets.  A spec is what a generation asks for; a listener is the socket
 * itself, which outlives generations: after a reload the same listener bears the new generation's
 * spec.  The master opens, the workers accept.  What a connection is for, only the protocol knows.
 */
#ifndef NET_LISTEN_H
#define NET_LISTEN_H

#include "event/loop.h"
#include "event/timer.h"
#include "net/address.h"

struct generation;
struct listener;

/* A protocol's engine as the listener sees it. */
struct protocol {
    const char *name;                  /* "http" */
    int type;                          /* SOCK_STREAM or SOCK_DGRAM */
    /* Takes a connected, non-blocking, close-on-exec descriptor: owns it from here on, and calls
     * listener_connection_closed() when it has closed it, also where it refuses it at once. */
    void (*accept)(struct listener *l, int fd, const struct address *peer);
    /* A datagram socket is readable (UDP, QUIC); NULL for streams. */
    void (*readable)(struct listener *l);
};

enum tristate { UNSPECIFIED, YES, NO };

struct listen_options {
    int backlog;                       /* -1: the system's usual (511) */
    int rcvbuf, sndbuf;                /* bytes; -1: as the system has it */
    int fastopen;                      /* queue length; -1: off */
    int setfib;                        /* -1: not set */
    enum tristate keepalive;           /* so_keepalive */
    int keepidle, keepintvl, keepcnt;  /* seconds, seconds, probes; 0: the system's */
    enum tristate ipv6only;            /* unspecified: on */
    bool deferred, reuseport, multipath, bind;
    struct str accept_filter;          /* BSD; empty: none */
};

extern const struct listen_options listen_options_initial;

struct listen_spec {
    struct address address;
    struct str text;                   /* "0.0.0.0:80", as logs name it */
    struct listen_options options;
    const struct protocol *protocol;
    void *object;                      /* the protocol's own: what its connections belong to */
    struct generation *generation;     /* whose spec it is */
    struct str place;                  /* "file:line" of the directive that set the options */
};

struct listener {
    struct watch watch;
    struct list link;                  /* in the process's list */
    struct listen_spec *spec;          /* the newest generation's; where the address is no longer
                                        * asked for, the last one's */
    bool removed;                      /* not asked for any more: connections end with a request */
    unsigned connections;              /* open ones that came through it */
    unsigned group;                    /* reuseport: which of the group's sockets, from 0 */
    void (*gone)(struct listener *l);  /* of a removed one: called before it is freed */
    struct deferred release;
};

/*
 * Opens, binds and listens.  `inherited` is a descriptor of the same address from a former binary,
 * from systemd or from the generation before, or -1; options that can change on an open socket are
 * applied to it.  Returns the descriptor, or -1 with a line in the log (nginx's wording: bind() to
 * ADDR failed). Tries again where the address is in use (5 times, 500 ms apart) when `retry` is
 * set.
 */
int listen_open(const struct listen_spec *spec, int inherited, bool retry);

/* A worker's side: begins to accept, and ends it (the socket stays open). */
struct listener *listener_new(struct listen_spec *spec, int fd, unsigned group);
bool listener_start(struct listener *l);
void listener_stop(struct listener *l);
/* The same for good: closes the socket.  The listener is freed, after gone() was called, when its
 * last connection is closed. */
void listener_remove(struct listener *l, void (*gone)(struct listener *l));
/* One connection of the listener is gone: a removed listener is freed with the last one. */
void listener_connection_closed(struct listener *l);

/*
 * Fairness among workers that share a socket: counts of connections in shared memory, one slot per
 * worker, each in a cache line of its own.  A worker that is well above the mean leaves the next
 * connections to the others.
 */
struct listen_share {
    _Atomic unsigned connections;      /* open ones of this worker */
    _Atomic unsigned alive;            /* whether the slot's worker accepts */
    char pad[64 - 2 * sizeof(unsigned)];
};
/* `count` slots, of which this process has number `own`.  Without this call there is nobody to
 * share with. */
void listen_share_with(struct listen_share *slots, unsigned count, unsigned own);
/* multi_accept of the events block: takes all that waits, not one connection a turn. */
void listen_set_multi_accept(bool on);

#endif
