/*
 * upstream: groups of peers, by which http, stream and mail reach what is behind them.  A group is a
 * block `upstream`, or is implied by an address that a directive such as proxy_pass gives.  The state
 * of its peers is this worker's own.
 */
#ifndef UPSTREAM_UPSTREAM_H
#define UPSTREAM_UPSTREAM_H

#include "config/resolve.h"
#include "net/address.h"
#include "upstream/keepalive.h"

struct balancer;
struct template;

struct upstream_peer {
    struct address address;
    struct str name;                   /* "127.0.0.1:8081", as logs and $upstream_addr have it */
    struct str server;                 /* as it was written */
    unsigned weight, max_conns, max_fails;
    time_t fail_timeout;               /* seconds */
    bool down;
    /* changes while the generation is in use: */
    int current, effective;            /* of the smooth weighted round */
    unsigned conns, fails;
    time_t accessed, checked;          /* of the last failures, in seconds of the clock */
};

struct upstream_peers {
    ARRAY(struct upstream_peer) list;
    unsigned total_weight;
    unsigned tries;                    /* peers that are not down */
};

struct upstream {
    struct str name;                   /* as written: "backend", "127.0.0.1:8081" */
    unsigned port;                     /* of an implied one; 0: of a block */
    bool is_block;
    struct upstream_peers primary, backup;
    const struct balancer *balancer;
    const void *balancer_conf;         /* its own */
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

/*
 * The group that word `word` of a line means: a block of that name anywhere in the engine's block, or one
 * implied by host and port (0: `default_port`).  A name that can't be resolved is a warning, and the group
 * has no peers.  NULL after setting_error().
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

/* For rows of balancers and the like: their value is the group's own. */
void upstream_print_nothing(const struct directive *row, const void *field, struct out *o);
/* A balancer's line: false after setting_error() where there is another. */
bool upstream_set_balancer(struct setting *s, const struct balancer *b, const void *conf);

extern struct module http_upstream_module;

#endif
