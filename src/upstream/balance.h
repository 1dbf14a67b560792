/*
 * balance: which peer of a group is asked next.  A balancer chooses among the primary peers; where none
 * of them may be had the backups take turns.  What became of a try is told, so that a peer that fails
 * rests for a while.
 */
#ifndef UPSTREAM_BALANCE_H
#define UPSTREAM_BALANCE_H

#include "script/variable.h"
#include "upstream/upstream.h"

/* One request's tries. */
struct pick {
    struct upstream *group;
    struct upstream_peers *peers;      /* the primary ones, then the backups */
    struct upstream_peer *peer;        /* being tried; NULL: none */
    unsigned tries;                    /* left */
    uint64_t few, *tried;              /* bits of peers: in `few` where there are at most 64 */
    struct script *script;             /* whose variables a key is made of */
    uint32_t hash;                     /* balancers' own */
    unsigned rehash;
    struct str key;
};

struct balancer {
    const char *name;
    bool backup;                       /* whether the group may have backups */
    /* Before the first try; NULL: nothing is to be done. */
    void (*start)(struct pick *p);
    /* A peer of p->peers that balance_may_use() allows; NULL: none. */
    struct upstream_peer *(*choose)(struct pick *p);
};

extern const struct balancer balancer_round_robin;

enum balance_result {
    BALANCE_OK,
    BALANCE_FAILED,                    /* counts against the peer */
    BALANCE_REFUSED,                   /* it answered, but not as was wanted (403, 404) */
};

/* `arena` is for groups of more than 64 peers. */
void balance_start(struct pick *p, struct upstream *u, struct script *script, struct arena *arena);
/* The next peer, counted as in use until balance_done(); NULL: none can be had now. */
struct upstream_peer *balance_next(struct pick *p);
/* true: the peer has failed so often that it rests now. */
bool balance_done(struct pick *p, enum balance_result result);

/* ---- for balancers ---- */

/* Neither tried before, nor down, resting or full. */
bool balance_may_use(const struct pick *p, const struct upstream_peer *peer);
/* The smooth weighted round among those that may be used. */
struct upstream_peer *balance_round(struct pick *p);

#endif
