/*
 * shared_peers: the directive `zone`: states of peers in memory that all workers share, so that
 * each sees what happened to the others.  A peer is known there by its group, its server and its
 * address, and is found again after a reload.
 */
#ifndef UPSTREAM_SHARED_PEERS_H
#define UPSTREAM_SHARED_PEERS_H

#include <sys/types.h>

#include "base/zone.h"
#include "config/resolve.h"
#include "upstream/upstream.h"

struct peer_share;

/* Who does something for all workers. */
struct shared_duty {
    pid_t pid;                         /* 0: nobody */
    uint64_t beat_ms;                  /* clock_ms(): when it was last at work */
};

/* Of a group with a zone. */
struct shared_peers {
    struct zone_spec *spec;
    struct upstream *group;
    const struct generation *generation;
    unsigned epoch;                    /* of the zone, when states were last looked up */
    bool in_use;                       /* states are looked up there */
    const struct node *node;           /* the line, while the tree is resolved */
};

extern struct module http_upstream_zone_module;

/* After the lines of the group's block: whether the zone is large enough for it and those
 * before. */
bool shared_peers_check(struct setting *s, const struct upstream *u);

/* The rest with the group's lock held. */

/* The state of a peer of that list is the one in the zone from now on; nothing where there is no
 * zone. */
void shared_peers_attach(struct upstream *u, const struct upstream_peers *peers,
                         struct upstream_peer *peer);
/* The place in the zone is given up, and the seat freed; it may be NULL. */
void shared_peers_detach(struct peer_seat *seat);

struct peer_seat {
    struct shared_peers *shared;
    struct upstream_peer_state *state; /* in the zone */
    struct upstream_peer_state own;    /* in its place where the zone is full */
    struct peer_share *share;          /* what the process has of that; NULL: the zone is full */
    unsigned epoch;                    /* of the zone that these are in */
    unsigned conns;                    /* of those in the state, this process's */
};

/* So many connections more, or less, of this process. */
void shared_peers_counted(struct peer_seat *seat, int more);
static inline void shared_peers_count(struct peer_seat *seat, int more)
{
    if (seat)
        shared_peers_counted(seat, more);
}
/* Of all groups of the zone. */
struct shared_duty *shared_peers_duty(const struct shared_peers *shared);

#endif
