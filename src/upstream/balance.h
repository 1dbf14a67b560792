/*
 * balance: which peer of a group is asked next.  A balancer chooses among the primary peers; where none
 * of them may be had the backups take turns.  What became of a try is told, so that a peer that fails
 * rests for a while.
 */
#ifndef UPSTREAM_BALANCE_H
#define UPSTREAM_BALANCE_H

#include "base/clock.h"
#include "script/variable.h"
#include "upstream/queue.h"
#include "upstream/upstream.h"

/* Which peers of a list a request has tried. */
struct tried_peers {
    uint64_t few, *bits;               /* in `few` where there are at most 64 */
    unsigned words;                    /* of bits; peers beyond came later and are not tried */
    unsigned version;                  /* of the list that the bits mean */
};

/* One request's tries. */
struct pick {
    struct upstream *group;
    struct upstream_peers *peers;      /* the primary ones, then the backups */
    struct upstream_peer *peer;        /* being tried; NULL: none */
    unsigned tries;                    /* left */
    unsigned asked;                    /* so far */
    struct tried_peers tried[2];       /* of the primary ones, and of the backups */
    uint64_t start_ms;                 /* of the try */
    bool answered;                     /* the peer has sent a head */
    bool last_resort;                  /* none was to be had: those that were not reached may be asked */
    struct script *script;             /* whose variables a key is made of */
    uint32_t hash;                     /* balancers' own */
    unsigned rehash, misses;
    struct str key;
    struct str bound;                  /* upstream_peer.sid of the one it belongs to; empty: to none */
    struct str session;                /* sticky.c's own: what it was bound by */
    struct queue_place queued;
};

struct balancer {
    const char *name;
    bool backup;                       /* whether the group may have backups */
    bool slow_start;                   /* and peers whose weight grows */
    /* Before the first try; NULL: nothing is to be done. */
    void (*start)(struct pick *p);
    /* A peer of p->peers that balance_may_use() allows; NULL: none. */
    struct upstream_peer *(*choose)(struct pick *p);
};

extern const struct balancer balancer_round_robin;

/* What keeps a client's requests at one peer, whatever the balancer; but for start() each may be NULL. */
struct affinity {
    /* Before the first try: sets p->bound. */
    void (*start)(struct pick *p);
    /* The head of p->peer's response is here. */
    void (*answered)(struct pick *p);
    /* p->peer has answered and is let go. */
    void (*done)(struct pick *p);
    /* What the client is to be given as a cookie; empty: nothing. */
    struct str (*cookie)(struct pick *p);
};

enum balance_result {
    BALANCE_OK,
    BALANCE_LEFT,                      /* nobody waited for the end of its answer */
    BALANCE_FAILED,                    /* counts against the peer */
    BALANCE_UNREACHED,                 /* so does this: the connection failed */
    BALANCE_REFUSED,                   /* it answered, but not as was wanted (403, 404) */
};

/* `arena` is for groups of more than 64 peers. */
void balance_start(struct pick *p, struct upstream *u, struct script *script, struct arena *arena);
/* The next peer, counted as in use until balance_done(); NULL: none can be had now. */
struct upstream_peer *balance_next(struct pick *p);
/* balance_next() gave none: waits in the group's queue.  `wake` tells that p->peer is there, or that the
 * time is over without one.  false: there is no queue, or it is full. */
static inline bool balance_wait(struct pick *p, void (*wake)(void *owner), void *owner)
{
    return queue_join(p, wake, owner);
}
static inline bool balance_waits(const struct pick *p)
{
    return p->queued.waits;
}
/* -1: it did not have to. */
static inline int64_t balance_waited_ms(const struct pick *p)
{
    return p->queued.since ? (int64_t)(clock_ms() - p->queued.since) : -1;
}
/* The head of the peer's response has come. */
void balance_answered(struct pick *p);
/* For a Set-Cookie field of that response; empty: none. */
struct str balance_cookie(struct pick *p);
/* true: the peer has failed so often that it rests now. */
bool balance_done(struct pick *p, enum balance_result result);
/* The request ends: it waits no more. */
static inline void balance_leave(struct pick *p)
{
    queue_leave(p);
}

/* ---- for queue.c ---- */

/* balance_next() for one whose turn it is. */
struct upstream_peer *balance_choose(struct pick *p);

/* ---- for balancers, with the group's lock held ---- */

/* Neither tried before, nor down, resting, draining or full. */
bool balance_may_use(const struct pick *p, const struct upstream_peer *peer);
/* The weight that counts now, in parts: less than the whole while the peer starts slowly. */
uint64_t balance_weight(const struct upstream_peer *peer);
/* The peer whose share of all weights, laid end to end, `number` falls into. */
struct upstream_peer *balance_share(const struct upstream_peers *peers, uint64_t number);
/* The smooth weighted round among those that may be used. */
struct upstream_peer *balance_round(struct pick *p);
/* The same among those that `fits` allows, too. */
typedef bool balance_fits(const struct upstream_peer *peer, const void *data);
struct upstream_peer *balance_round_of(struct pick *p, balance_fits *fits, const void *data);
/* Less than 0: `a` is to be preferred. */
typedef int balance_compare(const struct upstream_peer *a, const struct upstream_peer *b, unsigned how);
/* By connections for the weight: least_conn. */
int balance_by_conns(const struct upstream_peer *a, const struct upstream_peer *b, unsigned how);
/* The one that comes first in that order; equals take turns. */
struct upstream_peer *balance_least(struct pick *p, balance_compare *compare, unsigned how);

#endif
