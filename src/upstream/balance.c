/*
 * balance: see balance.h.
 */
#include "upstream/balance.h"

#include "base/clock.h"

static unsigned index_of(const struct pick *p, const struct upstream_peer *peer)
{
    return (unsigned)(peer - p->peers->list.items);
}

static bool was_tried(const struct pick *p, unsigned i)
{
    return p->tried[i / 64] >> i % 64 & 1;
}

bool balance_may_use(const struct pick *p, const struct upstream_peer *peer)
{
    if (peer->down || was_tried(p, index_of(p, peer)) ||
        (peer->max_conns && peer->conns >= peer->max_conns))
        return false;
    if (upstream_is_single(p->group))
        return true;
    return !peer->max_fails || peer->fails < peer->max_fails ||
           clock_seconds() - peer->checked > peer->fail_timeout;
}

/* Each round every peer gains its effective weight; the one with the most is chosen and pays the sum:
 * so turns of the heavier are spread among those of the others.  A peer that failed gains less, and
 * recovers by one a round. */
struct upstream_peer *balance_round(struct pick *p)
{
    struct upstream_peer *best = NULL;
    int total = 0;

    for (unsigned i = 0; i < p->peers->list.count; i++) {
        struct upstream_peer *peer = &p->peers->list.items[i];
        if (!balance_may_use(p, peer))
            continue;
        peer->current += peer->effective;
        total += peer->effective;
        if (peer->effective < (int)peer->weight)
            peer->effective++;
        if (!best || peer->current > best->current)
            best = peer;
    }
    if (best)
        best->current -= total;
    return best;
}

const struct balancer balancer_round_robin = { "round_robin", true, NULL, balance_round };

/* From now on among `peers`, none of them tried. */
static void choose_among(struct pick *p, struct upstream_peers *peers)
{
    p->peers = peers;
    memset(p->tried, 0, (peers->list.count + 63) / 64 * sizeof *p->tried);
}

void balance_start(struct pick *p, struct upstream *u, struct script *script, struct arena *arena)
{
    unsigned most = u->primary.list.count > u->backup.list.count ? u->primary.list.count
                                                                  : u->backup.list.count;

    *p = (struct pick){ .group = u, .script = script };
    p->tried = most <= 64 ? &p->few : ARENA_NEW_ARRAY(arena, uint64_t, (most + 63) / 64);
    p->tries = u->primary.tries + u->backup.tries;
    choose_among(p, &u->primary);
    if (u->balancer->start)
        u->balancer->start(p);
}

struct upstream_peer *balance_next(struct pick *p)
{
    struct upstream *u = p->group;
    struct upstream_peer *peer = p->peers == &u->backup ? balance_round(p) : u->balancer->choose(p);

    if (!peer && p->peers == &u->primary && u->backup.list.count) {
        choose_among(p, &u->backup);
        peer = balance_round(p);
    }
    if (!peer)
        return NULL;
    unsigned i = index_of(p, peer);
    p->tried[i / 64] |= (uint64_t)1 << i % 64;
    if (clock_seconds() - peer->checked > peer->fail_timeout)
        peer->checked = clock_seconds();       /* one try, until it is known how it went */
    peer->conns++;
    p->peer = peer;
    return peer;
}

static bool note_failure(struct upstream_peer *peer)
{
    peer->fails++;
    peer->accessed = peer->checked = clock_seconds();
    if (!peer->max_fails)
        return false;
    peer->effective -= (int)(peer->weight / peer->max_fails);
    if (peer->effective < 0)
        peer->effective = 0;
    return peer->fails >= peer->max_fails;
}

bool balance_done(struct pick *p, enum balance_result result)
{
    struct upstream_peer *peer = p->peer;
    bool rests = false;

    p->peer = NULL;
    peer->conns--;
    if (upstream_is_single(p->group)) {
        p->tries = 0;
        return false;
    }
    if (result == BALANCE_FAILED)
        rests = note_failure(peer);
    else if (peer->accessed < peer->checked)
        peer->fails = 0;
    if (p->tries)
        p->tries--;
    return rests;
}
