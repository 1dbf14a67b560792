/*
 * discovery: peers whose addresses a name server tells while the daemon runs: "server name resolve", with
 * or without "service=", and plain names that had no address at start.  Each worker asks for itself.
 *
 * The group's side of it is two calls: discovery_add() where a line `server` is read, and
 * upstream_peers_replace(), which discovery calls whenever a name has been asked for.
 */
#ifndef UPSTREAM_DISCOVERY_H
#define UPSTREAM_DISCOVERY_H

#include "config/resolve.h"
#include "net/address.h"

struct upstream;

/* A name of a line `server` or of an implied group.  Lives as long as the generation. */
struct discovery_line {
    struct upstream *group;
    struct str host;                   /* the name that is asked for */
    struct str service;                /* of service=; empty: addresses alone, with `port` */
    unsigned port;
    bool backup;
    bool once;                         /* only until it has an address: there was none at start */
    const void *model;                 /* the caller's own: what its peers have in common */
    unsigned number;                   /* of the line in its group, from 1: the same in every worker */
};

/* What a name stands for now. */
struct discovered {
    struct address address;            /* with its port */
    unsigned weight;                   /* from DNS; 0: that of the line */
    bool backup;
};

/* Has the line's name watched from the time on when the generation is used in a worker. */
void discovery_add(struct setting *s, struct discovery_line *line);

/*
 * peers.c: the line's peers are these from now on (none, where `count` is 0); an address may be there more
 * than once, one after another.  Those that stay keep their state; those that go are not chosen any more,
 * but stay valid for who is trying them.  Calling it again with the same list changes nothing.
 */
void upstream_peers_replace(struct upstream *u, const struct discovery_line *line,
                            const struct discovered *found, unsigned count);

#endif
