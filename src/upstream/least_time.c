/*
 * least_time: a balancer: the peer with the least time and the fewest connections for its weight; among
 * equals they take turns.
 */
#include "upstream/least_time.h"

#include "upstream/balance.h"
#include "upstream/peer_time.h"

static struct upstream_peer *choose(struct pick *p)
{
    return balance_least(p, peer_time_compare, *(const unsigned *)p->group->balancer_conf);
}

static const struct balancer balancer = {
    .name = "least_time", .backup = true, .slow_start = true, .choose = choose,
};

static bool parse(struct setting *s, void *field)
{
    unsigned *kind = ARENA_NEW(setting_arena(s), unsigned);

    (void)field;
    if (str_eq(setting_arg(s, 1), STR("last_byte")))
        *kind = PEER_TIME_LAST_BYTE;
    else if (!str_eq(setting_arg(s, 1), STR("header")))
        return setting_error(s, 1, "invalid parameter \"%.*s\"", STR_ARG(setting_arg(s, 1)));
    if (s->node->count > 2) {
        if (!str_eq(setting_arg(s, 2), STR("inflight")))
            return setting_error(s, 2, "invalid parameter \"%.*s\"", STR_ARG(setting_arg(s, 2)));
        *kind |= PEER_TIME_INFLIGHT;
    }
    return upstream_set_balancer(s, &balancer, kind);
}

static const struct type type = {
    "header | last_byte [inflight]", "header or last_byte, and perhaps inflight", parse,
    NULL,
};

static const struct directive rows[] = {
    { "least_time", IN_UPSTREAM, ARGS_RANGE(1, 2), &type,
      .help = "Choose the server with the least average time to its header or last byte and the fewest "
              "connections, by weight; with inflight, answers that are still awaited count too." },
    { 0 },
};

struct module http_upstream_least_time_module = {
    .name = "ngx_http_upstream_least_time_module", .directives = rows,
};
