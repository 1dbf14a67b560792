/*
 * peers: lists of peers that come and go while a generation is in use.  A list is replaced as a whole; one
 * with peers that are being tried stays until those tries are over.  Peers of the configuration itself are
 * never freed.
 */
#ifndef UPSTREAM_PEERS_H
#define UPSTREAM_PEERS_H

#include "upstream/upstream.h"

/* A peer of the list is being tried, and is not any more: by who chose it. */
static inline void peers_hold(struct upstream_peers *peers)
{
    peers->in_use++;
}
void peers_release(struct upstream_peers *peers, const struct upstream_peer *peer);

/* Visits every peer of the list, and of former ones that are still in use. */
void peers_each(const struct upstream_peers *peers, void (*visit)(struct upstream_peer *peer, void *data),
                void *data);

/* Before its memory goes. */
void peers_fini(struct upstream_peers *peers);

#endif
