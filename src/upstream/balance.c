/*
 * balance: see balance.h.
 */
#include "upstream/balance.h"

#include "base/clock.h"
#include "upstream/peer_time.h"
#include "upstream/peers.h"
#include "upstream/shared_peers.h"

enum {
    WHOLE = 256,                       /* parts of a unit of weight */
    AT_ONCE = 1000,                    /* ms: a connection that fails so soon costs nobody much */
};

static unsigned index_of(const struct pick *p, const struct upstream_peer *peer)
{
    return (unsigned)(peer - p->peers->list.items);
}

/* Of p->peers: 0 or 1, into p->tried. */
static unsigned which_peers(const struct pick *p)
{
    return p->peers == &p->group->backup;
}

static bool was_tried(const struct pick *p, unsigned i)
{
    const struct tried_peers *t = &p->tried[which_peers(p)];

    return i / 64 >= t->words || (t->bits[i / 64] >> i % 64 & 1);
}

static bool is_full(const struct upstream_peer *peer)
{
    return peer->max_conns && peer->state->conns >= peer->max_conns;
}

static bool is_resting(const struct pick *p, const struct upstream_peer *peer)
{
    const struct upstream_peer_state *state = peer->state;

    return !upstream_is_single(p->group) && peer->max_fails && state->fails >= peer->max_fails &&
           clock_seconds() - state->checked <= peer->fail_timeout &&
           !(p->last_resort && state->unreached);
}

static bool may_serve(const struct pick *p, const struct upstream_peer *peer)
{
    return !(peer->state->bars & ~(unsigned)PEER_DRAINING) && !was_tried(p, index_of(p, peer)) &&
           !is_full(peer) && !is_resting(p, peer);
}

bool balance_may_use(const struct pick *p, const struct upstream_peer *peer)
{
    return !peer->state->bars && may_serve(p, peer);
}

/* ---- turns ---- */

/* A weight in parts, of which a peer that starts slowly has as many as the time that has gone by. */
static uint64_t in_parts(const struct upstream_peer *peer, unsigned weight)
{
    const struct upstream_peer_state *state = peer->state;
    uint64_t parts = (uint64_t)weight * WHOLE, past;

    if (!peer->slow_start || !state->slow_since)
        return parts;
    past = clock_ms() - state->slow_since;
    if (past >= peer->slow_start)
        return parts;
    uint64_t now = (uint64_t)((double)parts * (double)past / (double)peer->slow_start);
    return now ? now : 1;
}

uint64_t balance_weight(const struct upstream_peer *peer)
{
    return in_parts(peer, peer->weight);
}

struct upstream_peer *balance_share(const struct upstream_peers *peers, uint64_t number)
{
    for (unsigned i = 0; i < peers->list.count; i++) {
        if (number < peers->list.items[i].weight)
            return &peers->list.items[i];
        number -= peers->list.items[i].weight;
    }
    return NULL;
}

/* Each round every peer gains its effective weight; the one with the most is chosen and pays the sum:
 * so turns of the heavier are spread among those of the others.  A peer that failed gains less, and
 * recovers by one a round. */
struct upstream_peer *balance_round_of(struct pick *p, balance_fits *fits, const void *data)
{
    struct upstream_peer *best = NULL;
    int64_t total = 0;

    for (unsigned i = 0; i < p->peers->list.count; i++) {
        struct upstream_peer *peer = &p->peers->list.items[i];
        if (!balance_may_use(p, peer) || (fits && !fits(peer, data)))
            continue;
        struct upstream_peer_state *state = peer->state;
        int64_t gain = (int64_t)in_parts(peer, state->effective);
        state->current += gain;
        total += gain;
        if (state->effective < peer->weight)
            state->effective++;
        if (!best || state->current > best->state->current)
            best = peer;
    }
    if (best)
        best->state->current -= total;
    return best;
}

struct upstream_peer *balance_round(struct pick *p)
{
    return balance_round_of(p, NULL, NULL);
}

const struct balancer balancer_round_robin = {
    .name = "round robin", .backup = true, .slow_start = true, .choose = balance_round,
};

int balance_by_conns(const struct upstream_peer *a, const struct upstream_peer *b, unsigned how)
{
    double left = (double)a->state->conns * (double)balance_weight(b);
    double right = (double)b->state->conns * (double)balance_weight(a);

    (void)how;
    return left < right ? -1 : left > right;
}

struct least {
    const struct upstream_peer *best;
    balance_compare *compare;
    unsigned how;
};

static bool equals(const struct upstream_peer *peer, const void *data)
{
    const struct least *l = data;

    return l->compare(peer, l->best, l->how) == 0;
}

struct upstream_peer *balance_least(struct pick *p, balance_compare *compare, unsigned how)
{
    struct least l = { NULL, compare, how };

    for (unsigned i = 0; i < p->peers->list.count; i++) {
        const struct upstream_peer *peer = &p->peers->list.items[i];
        if (balance_may_use(p, peer) && (!l.best || compare(peer, l.best, how) < 0))
            l.best = peer;
    }
    return l.best ? balance_round_of(p, equals, &l) : NULL;
}

/* ---- a request's tries ---- */

static void init_tried(struct tried_peers *t, const struct upstream_peers *peers, struct arena *arena)
{
    t->words = (peers->list.count + 63) / 64;
    t->bits = t->words <= 1 ? &t->few : ARENA_NEW_ARRAY(arena, uint64_t, t->words);
    t->words += t->words == 0;
    t->version = peers->version;
}

/* From now on among `peers`; none of them is tried where the list has become another. */
static void choose_among(struct pick *p, struct upstream_peers *peers)
{
    p->peers = peers;
    struct tried_peers *t = &p->tried[which_peers(p)];
    if (t->version != peers->version)
        memset(t->bits, 0, t->words * sizeof *t->bits);
    t->version = peers->version;
}

void balance_start(struct pick *p, struct upstream *u, struct script *script, struct arena *arena)
{
    *p = (struct pick){ .group = u, .script = script };
    init_tried(&p->tried[0], &u->primary, arena);
    init_tried(&p->tried[1], &u->backup, arena);
    p->tries = u->primary.tries + u->backup.tries;
    choose_among(p, &u->primary);
    if (u->balancer->start)
        u->balancer->start(p);
    if (u->affinity)
        u->affinity->start(p);
}

/* Peers of one route take turns among themselves. */
static struct upstream_peer *choose_bound(struct pick *p)
{
    struct upstream_peer *best = NULL;

    for (unsigned i = 0; p->bound.len && i < p->peers->list.count; i++) {
        struct upstream_peer *peer = &p->peers->list.items[i];
        if (str_eq(peer->sid, p->bound) && may_serve(p, peer) &&
            (!best || peer->state->conns < best->state->conns))
            best = peer;
    }
    return best;
}

static struct upstream_peer *choose(struct pick *p)
{
    struct upstream *u = p->group;
    struct upstream_peer *peer = p->bound.len ? choose_bound(p) : NULL;

    if (peer)
        return peer;
    return p->peers == &u->backup ? balance_round(p) : u->balancer->choose(p);
}

/* It is in use from now on. */
static void take(struct pick *p, struct upstream_peer *peer)
{
    struct upstream_peer_state *state = peer->state;
    unsigned i = index_of(p, peer);

    p->tried[which_peers(p)].bits[i / 64] |= (uint64_t)1 << i % 64;
    p->peer = peer;
    p->asked++;
    p->answered = false;
    p->start_ms = clock_ms();
    if (clock_seconds() - state->checked > peer->fail_timeout)
        state->checked = clock_seconds();      /* one try, until it is known how it went */
    state->selected = clock_seconds();
    state->starts += p->start_ms;
    state->conns++;
    shared_peers_count(peer->seat, 1);
    peers_hold(p->peers);
}

/* Among the primary ones, then the backups. */
static struct upstream_peer *choose_in_turn(struct pick *p)
{
    struct upstream *u = p->group;
    struct upstream_peer *peer = choose(p);

    if (!peer && p->peers == &u->primary && u->backup.list.count) {
        choose_among(p, &u->backup);
        peer = choose(p);
        if (!peer && u->queue)                 /* it will ask again, from the start */
            choose_among(p, &u->primary);
    }
    return peer;
}

/* With the lock held.  Where all rest, those that could not be connected to may be back by now, and to ask
 * them takes no time. */
static struct upstream_peer *choose_and_take(struct pick *p)
{
    struct upstream_peer *peer;

    choose_among(p, p->peers);                 /* the list may have become another */
    peer = choose_in_turn(p);
    if (!peer && !p->last_resort && p->tries) {
        p->last_resort = true;
        choose_among(p, &p->group->primary);
        peer = choose_in_turn(p);
    }
    if (peer)
        take(p, peer);
    return peer;
}

struct upstream_peer *balance_choose(struct pick *p)
{
    upstream_lock(p->group);
    struct upstream_peer *peer = choose_and_take(p);
    upstream_unlock(p->group);
    return peer;
}

struct upstream_peer *balance_next(struct pick *p)
{
    const struct queue *q = p->group->queue;

    return q && q->count ? NULL : balance_choose(p);   /* those who wait come first */
}

void balance_answered(struct pick *p)
{
    const struct affinity *a = p->group->affinity;

    p->answered = true;
    upstream_lock(p->group);
    peer_time_note(p->peer, PEER_TIME_HEADER, clock_ms() - p->start_ms);
    upstream_unlock(p->group);
    if (a && a->answered)
        a->answered(p);
}

struct str balance_cookie(struct pick *p)
{
    const struct affinity *a = p->group->affinity;

    return a && a->cookie ? a->cookie(p) : STR("");
}

/* ---- what became of a try ---- */

static bool is_failure(enum balance_result result)
{
    return result == BALANCE_FAILED || result == BALANCE_UNREACHED;
}

static bool note_failure(const struct upstream_peer *peer, bool unreached)
{
    struct upstream_peer_state *state = peer->state;
    unsigned less = peer->max_fails ? peer->weight / peer->max_fails : 0;

    state->fails++;
    state->unreached = unreached;
    state->accessed = state->checked = clock_seconds();
    state->effective = state->effective > less ? state->effective - less : 0;
    return peer->max_fails && state->fails >= peer->max_fails;
}

/* A try that was given to a peer that had rested went well: its weight grows from nothing. */
static void note_recovery(const struct upstream_peer *peer)
{
    struct upstream_peer_state *state = peer->state;

    if (peer->max_fails && state->fails >= peer->max_fails)
        state->slow_since = clock_ms();
    state->fails = 0;
}

static bool has_answered(const struct pick *p, enum balance_result result)
{
    return p->answered && !is_failure(result) && result != BALANCE_REFUSED;
}

/* With the lock held.  true: it rests now. */
static bool note_result(struct pick *p, const struct upstream_peer *peer, enum balance_result result)
{
    struct upstream_peer_state *state = peer->state;
    uint64_t ms = clock_ms() - p->start_ms;

    if (is_failure(result))
        peer_time_note_failure(peer, ms);
    else if (has_answered(p, result) && result == BALANCE_OK)
        peer_time_note(peer, PEER_TIME_LAST_BYTE, ms);
    state->conns--;
    state->starts -= p->start_ms;
    shared_peers_count(peer->seat, -1);
    if (upstream_is_single(p->group)) {
        p->tries = 0;
        return false;
    }
    if (p->tries)
        p->tries--;
    if (is_failure(result))
        return note_failure(peer, result == BALANCE_UNREACHED && ms < AT_ONCE);
    if (state->accessed < state->checked || (p->last_resort && has_answered(p, result)))
        note_recovery(peer);
    return false;
}

bool balance_done(struct pick *p, enum balance_result result)
{
    const struct affinity *a = p->group->affinity;
    struct upstream_peer *peer = p->peer;

    if (a && a->done && has_answered(p, result))
        a->done(p);
    p->peer = NULL;
    upstream_lock(p->group);
    bool rests = note_result(p, peer, result);
    peers_release(p->peers, peer);
    upstream_unlock(p->group);
    if (p->group->queue)
        queue_serve(p->group);
    return rests;
}
