/*
 * random_peer: one by chance, by weight; with `two` the one of two such that has fewer connections.
 */
#include "upstream/random_peer.h"

#include "base/random.h"
#include "upstream/balance.h"

enum { TRIES = 20 };

static struct upstream_peer *draw(const struct pick *p)
{
    unsigned number = random_below(p->peers->total_weight);

    for (unsigned i = 0; i < p->peers->list.count; i++) {
        struct upstream_peer *peer = &p->peers->list.items[i];
        if (number < peer->weight)
            return balance_may_use(p, peer) ? peer : NULL;
        number -= peer->weight;
    }
    return NULL;
}

static struct upstream_peer *choose_one(struct pick *p)
{
    for (unsigned i = 0; i < TRIES && p->peers->total_weight; i++) {
        struct upstream_peer *peer = draw(p);
        if (peer)
            return peer;
    }
    return balance_round(p);
}

static struct upstream_peer *choose_two(struct pick *p)
{
    struct upstream_peer *first = NULL;

    for (unsigned i = 0; i < TRIES && p->peers->total_weight; i++) {
        struct upstream_peer *peer = draw(p);
        if (!peer || peer == first)
            continue;
        if (!first) {
            first = peer;
            continue;
        }
        return (uint64_t)peer->conns * first->weight < (uint64_t)first->conns * peer->weight ? peer : first;
    }
    return first ? first : balance_round(p);
}

static const struct balancer one = { "random", false, NULL, choose_one };
static const struct balancer two = { "random two", false, NULL, choose_two };

static bool parse(struct setting *s, void *field)
{
    unsigned count = s->node->count;

    (void)field;
    if (count > 1 && !str_eq(setting_arg(s, 1), STR("two")))
        return setting_error(s, 1, "invalid parameter \"%.*s\"", STR_ARG(setting_arg(s, 1)));
    if (count > 2 && !str_eq(setting_arg(s, 2), STR("least_conn")))
        return setting_error(s, 2, "invalid parameter \"%.*s\"", STR_ARG(setting_arg(s, 2)));
    return upstream_set_balancer(s, count > 1 ? &two : &one, NULL);
}

static const struct type type = { "[two [least_conn]]", "nothing, or two", parse, upstream_print_nothing };

static const struct directive rows[] = {
    { "random", IN_UPSTREAM, ARGS_RANGE(0, 2), &type,
      .help = "Choose a server by chance, by weight; with two, the one of two that has fewer "
              "connections." },
    { 0 },
};

struct module http_upstream_random_module = {
    .name = "ngx_http_upstream_random_module", .directives = rows,
};
