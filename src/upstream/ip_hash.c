/*
 * ip_hash: a client always goes to the same peer, by the first three bytes of its IPv4 address or all of
 * an IPv6 one.
 */
#include "upstream/ip_hash.h"

#include "net/address.h"
#include "upstream/balance.h"

enum { FIRST_HASH = 89, FACTOR = 113, MODULUS = 6271, HASH_TRIES = 20 };

static void start(struct pick *p)
{
    const struct variables_hooks *hooks = variables_hooks(p->script->names);
    struct peer client = { 0 };

    if (hooks->peer)
        hooks->peer(p->script, &client);
    size_t len = client.family == AF_INET6 ? 16 : 3;           /* zeros for who has no address */
    p->key = (struct str){ arena_str(p->script->arena, (struct str){ (char *)client.ip, len }).data, len };
    p->hash = FIRST_HASH;
}

static struct upstream_peer *choose(struct pick *p)
{
    for (; p->peers->total_weight && p->misses <= HASH_TRIES; p->misses++) {
        for (size_t i = 0; i < p->key.len; i++)
            p->hash = (p->hash * FACTOR + (unsigned char)p->key.data[i]) % MODULUS;
        struct upstream_peer *peer = balance_share(p->peers, p->hash % p->peers->total_weight);
        if (peer && balance_may_use(p, peer))
            return peer;
    }
    return balance_round(p);
}

static const struct balancer balancer = { .name = "ip_hash", .start = start, .choose = choose };

static bool parse(struct setting *s, void *field)
{
    (void)field;
    return upstream_set_balancer(s, &balancer, NULL);
}

static const struct type type = { "", "nothing", parse, NULL };

static const struct directive rows[] = {
    { "ip_hash", IN_UPSTREAM, ARGS(0), &type,
      .help = "Let requests of a client go to the same server, by its address." },
    { 0 },
};

struct module http_upstream_ip_hash_module = {
    .name = "ngx_http_upstream_ip_hash_module", .directives = rows,
};
