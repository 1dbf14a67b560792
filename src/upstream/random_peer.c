/*
 * random_peer: one by chance, by weight; with `two` the one of two such that has fewer connections.
 */
#include "upstream/random_peer.h"

#include "base/random.h"
#include "upstream/balance.h"
#include "upstream/peer_time.h"

enum { TRIES = 20 };

/* Which of two is to be preferred. */
static const struct method {
    struct str word;
    balance_compare *compare;
    unsigned how;
} methods[] = {
    { STR_INIT("least_conn"), balance_by_conns, 0 },
    { STR_INIT("least_time=header"), peer_time_compare, PEER_TIME_HEADER },
    { STR_INIT("least_time=last_byte"), peer_time_compare, PEER_TIME_LAST_BYTE },
};

static struct upstream_peer *draw(const struct pick *p)
{
    uint64_t number;

    random_bytes(&number, sizeof number);
    struct upstream_peer *peer = balance_share(p->peers, number % p->peers->total_weight);
    return peer && balance_may_use(p, peer) ? peer : NULL;
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

/* Of two such the one that comes first in the order that was asked for. */
static struct upstream_peer *choose_two(struct pick *p)
{
    const struct method *method = p->group->balancer_conf;
    struct upstream_peer *first = NULL;

    for (unsigned i = 0; i < TRIES && p->peers->total_weight; i++) {
        struct upstream_peer *peer = draw(p);
        if (!peer || peer == first)
            continue;
        if (!first) {
            first = peer;
            continue;
        }
        return method->compare(peer, first, method->how) < 0 ? peer : first;
    }
    return first ? first : balance_round(p);
}

static const struct balancer one = { .name = "random", .choose = choose_one };
static const struct balancer two = { .name = "random two", .choose = choose_two };

static bool parse(struct setting *s, void *field)
{
    unsigned count = s->node->count;
    const struct method *method = NULL;

    (void)field;
    if (count > 1 && !str_eq(setting_arg(s, 1), STR("two")))
        return setting_error(s, 1, "invalid parameter \"%.*s\"", STR_ARG(setting_arg(s, 1)));
    struct str word = count > 2 ? setting_arg(s, 2) : methods[0].word;
    for (unsigned i = 0; !method && i < sizeof methods / sizeof methods[0]; i++)
        method = str_eq(methods[i].word, word) ? &methods[i] : NULL;
    if (!method)
        return setting_error(s, 2, "invalid parameter \"%.*s\"", STR_ARG(word));
    return upstream_set_balancer(s, count > 1 ? &two : &one, method);
}

static const struct type type = { "[two [least_conn | least_time=header | least_time=last_byte]]", "nothing, or two and a method", parse, NULL };

static const struct directive rows[] = {
    { "random", IN_UPSTREAM, ARGS_RANGE(0, 2), &type,
      .help = "Choose a server by chance, by weight; with two, the one of two that has fewer "
              "connections, or answers sooner." },
    { 0 },
};

struct module http_upstream_random_module = {
    .name = "ngx_http_upstream_random_module", .directives = rows,
};
