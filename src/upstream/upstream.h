/*
 * upstream: groups of peers, by which http, stream and mail reach what is behind them.  A group is a
 * block `upstream`, or is implied by an address that a directive such as proxy_pass gives.  Which
 * peers there are each worker knows for itself; what is known of them (struct upstream_peer_state) is the
 * worker's own too, or lies in a zone that all workers share.
 */
#ifndef UPSTREAM_UPSTREAM_H
#define UPSTREAM_UPSTREAM_H

#include "config/resolve.h"
#include "net/address.h"
#include "upstream/keepalive.h"

struct affinity;
struct balancer;
struct discovery_line;
struct former_peers;
struct found_peer;
struct peer_seat;
struct queue;
struct shared_peers;
struct template;

/* Why a peer is not to be chosen, as bits. */
enum peer_bar {
    PEER_DOWN = 1 << 0,                /* a person wants it so */
    PEER_DRAINING = 1 << 1,            /* it serves only those who are bound to it */
    PEER_UNHEALTHY = 1 << 2,           /* it fails its health checks */
    PEER_UNCHECKED = 1 << 3,           /* they are mandatory, and it has passed none so far */
};

/* What one of a group's health checks found: health.c's. */
struct peer_health {
    uint64_t next_ms;                  /* clock_ms(): when the peer is asked again; 0: it was not so far */
    unsigned passes, fails;            /* of late, one after the other */
};

enum { HEALTH_CHECKS_MAX = 4 };        /* of a group */

/* What changes of a peer while the generation is in use.  With upstream_lock() held. */
struct upstream_peer_state {
    int64_t current;                   /* of the smooth weighted round, in parts of a unit of weight */
    unsigned effective;                /* weight there: less after failures */
    unsigned conns, fails;
    time_t accessed, checked;          /* of the last failures, in seconds of the clock */
    time_t selected;                   /* when it was last chosen */
    uint32_t times[2];                 /* peer_time.c: averages by enum peer_time_kind; 0: none */
    uint64_t starts;                   /* sum of the clock_ms() at which those in conns began */
    uint64_t slow_since;               /* clock_ms(): it came back, with slow_start; 0: never */
    bool unreached;                    /* the last failure was a connection refused or closed at once */
    unsigned bars;                     /* enum peer_bar bits: 0: it may be chosen */
    unsigned configured;               /* those of them that the configuration asked for */
    struct peer_health health[HEALTH_CHECKS_MAX];
    unsigned failing, unchecked;       /* health checks, as bits, that make PEER_UNHEALTHY and PEER_UNCHECKED */
    unsigned generation;               /* that `unchecked` was last set for */
};

struct upstream_peer {
    struct address address;
    struct str name;                   /* "127.0.0.1:8081", as logs and $upstream_addr have it */
    struct str server;                 /* as it was written */
    struct str sid;                    /* its name for sticky: route=, or a digest of `name` */
    unsigned weight, max_conns, max_fails;
    time_t fail_timeout;               /* seconds */
    uint64_t slow_start;               /* ms */
    bool down, drain;                  /* as configured: state->bars says what counts */
    bool routed;                       /* route= is given */
    unsigned line;                     /* of the block, from 1: which `server` it is of */
    struct found_peer *found;          /* peers.c: DNS told of it; NULL: the configuration did */
    struct upstream_peer_state *state;
    struct peer_seat *seat;            /* shared_peers.c: its place in the zone; NULL: it has none */
};

enum { UPSTREAM_SID_MAX = 64 };        /* bytes */

struct upstream_peers {
    ARRAY(struct upstream_peer) list;
    uint64_t total_weight;
    unsigned tries;                    /* peers that are not down */
    unsigned version;                  /* counts up where a peer comes or goes */
    /* peers.c: lists that are replaced while they are used. */
    bool replaced;                     /* the list is not the configuration's any more */
    unsigned in_use;                   /* tries under way with peers of this list */
    struct former_peers *former;       /* lists that tries are under way with, and nobody else knows */
};

struct upstream {
    struct str name;                   /* as written: "backend", "127.0.0.1:8081" */
    unsigned port;                     /* of an implied one; 0: of a block */
    bool is_block;
    bool by_name;                      /* of one request: its peers are the addresses of its name */
    struct upstream_peers primary, backup;
    unsigned lines;                    /* `server` lines so far */
    const struct balancer *balancer;
    const void *balancer_conf;         /* its own */
    const struct affinity *affinity;   /* balance.h: sticky; NULL: none */
    const void *affinity_conf;
    struct queue *queue;               /* NULL: nobody waits for a peer */
    struct shared_peers *shared;       /* its part of a zone; NULL: it has none */
    unsigned checks;                   /* health checks of the group: so many */
    unsigned mandatory, persistent;    /* of them, as bits */
    struct str state_path;             /* state_file.h; empty: none */
    ARRAY(const struct discovery_line *) watched;      /* names that are asked for */
    struct keepalive_conf keepalive;
    struct idle_pool *pool;            /* NULL: no memory for it */
    struct str place;                  /* file:line of the block */
};

struct upstreams;

/* A peer may be alone: then it is asked always, whatever failed before. */
static inline bool upstream_is_single(const struct upstream *u)
{
    return u->primary.list.count == 1 && u->backup.list.count == 0;
}

/* Around whatever reads or changes states of peers, and short: nothing is waited for in between.  Where
 * there is no zone it does nothing. */
void shared_peers_lock(struct shared_peers *shared);
void shared_peers_unlock(struct shared_peers *shared);
static inline void upstream_lock(const struct upstream *u)
{
    if (u->shared)
        shared_peers_lock(u->shared);
}
static inline void upstream_unlock(const struct upstream *u)
{
    if (u->shared)
        shared_peers_unlock(u->shared);
}
/* The state of a peer that nothing has happened to. */
void upstream_init_state(const struct upstream_peer *peer, struct upstream_peer_state *state);

/*
 * The group that word `word` of a line means: a block of that name anywhere in the engine's block, or one
 * implied by host and port (0: `default_port`).  A name that can't be resolved is a warning, and the group
 * has no peers until it can: discovery.h.  NULL after setting_error().
 */
struct upstream *upstream_use(struct setting *s, unsigned word, struct str host, unsigned port,
                              unsigned default_port);
/* Those of a block's engine, for names that variables give. */
const struct upstreams *upstream_all(const struct setting *s);
/* A group by a name known at run time; NULL: there is none. */
struct upstream *upstream_find(const struct upstreams *all, struct str host, unsigned port,
                               unsigned default_port);
/* A group of one literal address, in `arena`; NULL: it is none. */
struct upstream *upstream_literal(struct arena *arena, struct str host, unsigned port);
/* A group of one request, without peers so far; and a peer for it. */
struct upstream *upstream_by_name(struct arena *arena, struct str host, unsigned port);
void upstream_add_address(struct arena *arena, struct upstream *u, const struct address *address);

/* A line `server` of a group's block, or of its state file. */
bool upstream_parse_server(struct setting *s);
/* A balancer's line: false after setting_error() where there is another. */
bool upstream_set_balancer(struct setting *s, const struct balancer *b, const void *conf);

extern struct module http_upstream_module;

#endif
