/*
 * keepalive: connections that lie idle between two uses, by group.  A pool is known by its group's
 * name and outlives a generation as long as the next one has a group of that name, so that a reload
 * closes nothing.
 */
#ifndef UPSTREAM_KEEPALIVE_H
#define UPSTREAM_KEEPALIVE_H

#include "config/resolve.h"
#include "upstream/link.h"

struct upstream;

struct keepalive_conf {
    unsigned connections;              /* idle ones of a worker at most; 0: none are kept */
    bool local;                        /* only for the place that they were opened by */
    unsigned requests;                 /* of a connection */
    uint64_t time, timeout;            /* ms: of a connection in all, and while idle */
};

extern const struct keepalive_conf keepalive_initial;
extern struct module http_upstream_keepalive_module;

/* For a generation being resolved: gives up its use of the pool when it is freed. */
struct idle_pool *keepalive_pool(struct generation *g, struct str name);

/* An idle connection to that address, taken over by a new user; NULL: there is none. */
struct link *keepalive_take(struct idle_pool *pool, const struct address *to, uint32_t key,
                            void (*wake)(void *owner), void *owner);
/* The user is done with it, and nothing is left to be read or sent: it is kept, or closed. */
void keepalive_give(struct idle_pool *pool, const struct keepalive_conf *conf, struct link *l);
/* For link.c: it is closed. */
void keepalive_forget(struct link *l);

#endif
