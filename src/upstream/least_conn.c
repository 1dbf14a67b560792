/*
 * least_conn: the peer with the fewest connections for its weight; among equals they take turns.
 */
#include "upstream/least_conn.h"

#include "upstream/balance.h"

static struct upstream_peer *choose(struct pick *p)
{
    return balance_least(p, balance_by_conns, 0);
}

static const struct balancer balancer = {
    .name = "least_conn", .backup = true, .slow_start = true, .choose = choose,
};

static bool parse(struct setting *s, void *field)
{
    (void)field;
    return upstream_set_balancer(s, &balancer, NULL);
}

static const struct type type = { "", "nothing", parse, NULL };

static const struct directive rows[] = {
    { "least_conn", IN_UPSTREAM, ARGS(0), &type,
      .help = "Choose the server with the fewest connections, by weight." },
    { 0 },
};

struct module http_upstream_least_conn_module = {
    .name = "ngx_http_upstream_least_conn_module", .directives = rows,
};
