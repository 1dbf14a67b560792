/*
 * least_conn: the peer with the fewest connections for its weight; among equals they take turns.
 */
#include "upstream/least_conn.h"

#include "upstream/balance.h"

/* Less than 0: a is less busy for its weight. */
static int compare(const struct upstream_peer *a, const struct upstream_peer *b)
{
    uint64_t left = (uint64_t)a->conns * b->weight, right = (uint64_t)b->conns * a->weight;

    return left < right ? -1 : left > right;
}

static struct upstream_peer *choose(struct pick *p)
{
    struct upstream_peer *best = NULL, *chosen = NULL;
    int total = 0;

    for (unsigned i = 0; i < p->peers->list.count; i++) {
        struct upstream_peer *peer = &p->peers->list.items[i];
        if (balance_may_use(p, peer) && (!best || compare(peer, best) < 0))
            best = peer;
    }
    for (unsigned i = 0; best && i < p->peers->list.count; i++) {
        struct upstream_peer *peer = &p->peers->list.items[i];
        if (!balance_may_use(p, peer) || compare(peer, best) != 0)
            continue;
        total += peer->effective;
        peer->current += peer->effective;
        if (peer->effective < (int)peer->weight)
            peer->effective++;
        if (!chosen || peer->current > chosen->current)
            chosen = peer;
    }
    if (chosen)
        chosen->current -= total;
    return chosen;
}

static const struct balancer balancer = { "least_conn", true, NULL, choose };

static bool parse(struct setting *s, void *field)
{
    (void)field;
    return upstream_set_balancer(s, &balancer, NULL);
}

static const struct type type = { "", "nothing", parse, upstream_print_nothing };

static const struct directive rows[] = {
    { "least_conn", IN_UPSTREAM, ARGS(0), &type,
      .help = "Choose the server with the fewest connections, by weight." },
    { 0 },
};

struct module http_upstream_least_conn_module = {
    .name = "ngx_http_upstream_least_conn_module", .directives = rows,
};
