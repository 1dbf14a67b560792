/*
 * hash: requests of one key go to one peer.  Plainly, by the key's checksum and the weights; or
 * consistently, by points on a ring (ketama), so that a peer that comes or goes moves few keys.
 */
#include "upstream/hash.h"

#include <stdlib.h>

#include "base/digest/crc32.h"
#include "script/template.h"
#include "upstream/balance.h"

enum { TRIES = 20, POINTS = 160 };     /* misses; of a peer, for each unit of weight */

struct point {
    uint32_t hash;
    struct str server;
};

/* Of a group; the ring is made when it is first needed, and anew where peers have come or gone. */
struct hash_conf {
    struct template key;
    struct point *ring;
    unsigned count;
    unsigned version;                  /* of the peers that it was made of */
};

static struct hash_conf *conf_of(const struct pick *p)
{
    return (struct hash_conf *)(uintptr_t)p->group->balancer_conf;
}

static void start(struct pick *p)
{
    p->key = template_value(&conf_of(p)->key, p->script);
}

/* The number of the try, from the second on, and the key make a new sum that is added to the one before. */
static struct upstream_peer *choose(struct pick *p)
{
    if (p->key.len == 0 || !p->peers->total_weight)
        return balance_round(p);
    for (; p->misses <= TRIES; p->misses++) {
        char digits[12];
        struct out o = out_fixed(digits, sizeof digits);
        if (p->rehash)
            out_uint(&o, p->rehash);
        p->hash += crc32_add(crc32_add(0, out_str_of(&o)), p->key) >> 16 & 0x7fff;
        p->rehash++;
        struct upstream_peer *peer = balance_share(p->peers, p->hash % p->peers->total_weight);
        if (peer && balance_may_use(p, peer))
            return peer;
    }
    return balance_round(p);
}

static const struct balancer plain = { .name = "hash", .start = start, .choose = choose };

/* ---- the ring ---- */

static int by_hash(const void *a, const void *b)
{
    const struct point *left = a, *right = b;

    return left->hash < right->hash ? -1 : left->hash > right->hash;
}

/* The sum of a server's name: its host, a NUL, and the port where one was written. */
static uint32_t sum_of(struct str server)
{
    ptrdiff_t colon = str_rindex(server, ':');
    struct str host = server, port = STR("");
    unsigned number;

    if (str_starts(server, STR("unix:")))
        host = str_from(server, 5);
    else if (colon > 0 && str_to_uint(str_from(server, (size_t)colon + 1), 65535, &number)) {
        host = str_first(server, (size_t)colon);
        port = str_from(server, (size_t)colon + 1);
    }
    return crc32_add(crc32_add(crc32_add(0, host), (struct str){ "", 1 }), port);
}

/* Each point's sum goes on from that of the one before, its bytes in ascending order. */
static void add_points(struct hash_conf *conf, const struct upstream_peer *peer)
{
    uint32_t base = sum_of(peer->server), before = 0;

    for (unsigned i = 0; i < peer->weight * POINTS; i++) {
        char bytes[4] = { (char)before, (char)(before >> 8), (char)(before >> 16),
                          (char)(before >> 24) };
        before = crc32_add(base, (struct str){ bytes, sizeof bytes });
        conf->ring[conf->count++] = (struct point){ before, peer->server };
    }
}

static void make_ring(struct hash_conf *conf, const struct upstream_peers *peers)
{
    unsigned left = 0;

    free(conf->ring);
    conf->count = 0;
    conf->version = peers->version;
    conf->ring = malloc((size_t)peers->total_weight * POINTS * sizeof *conf->ring + 1);
    if (!conf->ring)
        return;
    for (unsigned i = 0; i < peers->list.count; i++)
        add_points(conf, &peers->list.items[i]);
    qsort(conf->ring, conf->count, sizeof *conf->ring, by_hash);
    for (unsigned i = 0; i < conf->count; i++) {
        if (i == 0 || conf->ring[i].hash != conf->ring[left - 1].hash)
            conf->ring[left++] = conf->ring[i];
    }
    conf->count = left;
}

/* The first point at or behind a sum. */
static unsigned find_point(const struct hash_conf *conf, uint32_t hash)
{
    unsigned low = 0, high = conf->count;

    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (conf->ring[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void start_ring(struct pick *p)
{
    struct hash_conf *conf = conf_of(p);

    start(p);
    if (!conf->ring || conf->version != p->group->primary.version)
        make_ring(conf, &p->group->primary);
    p->hash = find_point(conf, crc32_of(p->key));
}

static bool is_of_server(const struct upstream_peer *peer, const void *server)
{
    return str_eq(peer->server, *(const struct str *)server);
}

/* Addresses of one server take turns. */
static struct upstream_peer *choose_on_ring(struct pick *p)
{
    const struct hash_conf *conf = conf_of(p);

    for (; p->key.len && conf->count && p->misses <= TRIES; p->hash++, p->misses++) {
        const struct str *server = &conf->ring[p->hash % conf->count].server;
        struct upstream_peer *peer = balance_round_of(p, is_of_server, server);
        if (peer)
            return peer;
    }
    return balance_round(p);
}

static const struct balancer consistent = {
    .name = "hash consistent", .start = start_ring, .choose = choose_on_ring,
};

/* ---- the directive ---- */

static void free_ring(void *data)
{
    struct hash_conf *conf = data;

    free(conf->ring);
}

static bool parse(struct setting *s, void *field)
{
    struct hash_conf *conf = ARENA_NEW(setting_arena(s), struct hash_conf);

    (void)field;
    if (s->node->count > 2 && !str_eq(setting_arg(s, 2), STR("consistent")))
        return setting_error(s, 2, "invalid parameter \"%.*s\"", STR_ARG(setting_arg(s, 2)));
    generation_cleanup(s->config->generation, free_ring, conf);
    return template_compile(s, 1, config_variables(s), &conf->key) &&
           upstream_set_balancer(s, s->node->count > 2 ? &consistent : &plain, conf);
}

static const struct type type = {
    "key [consistent]", "a key, and perhaps consistent", parse, NULL,
};

static const struct directive rows[] = {
    { "hash", IN_UPSTREAM, ARGS_RANGE(1, 2), &type,
      .help = "Let requests of one key go to the same server; with consistent, few of them move when a "
              "server comes or goes." },
    { 0 },
};

struct module http_upstream_hash_module = {
    .name = "ngx_http_upstream_hash_module", .directives = rows,
};
